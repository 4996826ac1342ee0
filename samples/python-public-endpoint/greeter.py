class Greeter:
    def perform(self, name: str) -> str:
        """
        Greet somebody who has a token.
        :param name: Who is greeted.
        :return: The greeting.
        """
        return f'Welcome back, {name}!'

    def greet(self, name: str) -> str:
        """
        Greet anybody.
        :param name: Who is greeted.
        :return: The greeting.
        """
        return f'Hello, {name}!'

    def auxiliary_endpoints(self) -> dict:
        return {'/greet': self.greet}

    def docs_input_examples(self) -> dict:
        return {'/perform': {'name': 'Ada'}, '/greet': {'name': 'Ada'}}
