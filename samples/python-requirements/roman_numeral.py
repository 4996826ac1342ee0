import roman


class RomanNumeral:
    def perform(self, number: int) -> str:
        """
        Write a number as the Romans did.
        :param number: A number from 1 to 4999.
        :return: The Roman numeral.
        """
        return roman.toRoman(number)

    def docs_input_example(self) -> dict:
        return {'number': 42}
