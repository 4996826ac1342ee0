import hashlib
import hmac
import os


class Signer:
    def __init__(self):
        key = os.environ.get('SIGNING_KEY')
        if not key:
            raise RuntimeError('SIGNING_KEY is not set: copy secrets.env.dist to secrets.env and deploy again')
        self._key = key.encode()

    def perform(self, message: str) -> str:
        """
        Sign a message with a key that only the job knows.
        :param message: The text to sign.
        :return: The signature, in hexadecimal.
        """
        return hmac.new(self._key, message.encode(), hashlib.sha256).hexdigest()

    def docs_input_example(self) -> dict:
        return {'message': 'hello'}
