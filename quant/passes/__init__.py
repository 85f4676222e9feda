"""Passes of a recipe: each module holds one function (Plan) -> None, named like the module's subject."""
