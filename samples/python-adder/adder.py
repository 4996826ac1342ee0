class Adder:
    def perform(self, numbers: list[float]) -> float:
        """
        Add numbers.
        :param numbers: The numbers to add.
        :return: Their sum.
        """
        return sum(numbers)

    def docs_input_example(self) -> dict:
        return {'numbers': [40, 2]}
