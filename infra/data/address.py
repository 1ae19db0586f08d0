"""The address book: one parameter in which commands find the names of the stage's resources."""

from aws_cdk import Stack
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from domain.config.sections import Config
from domain.names import lake_parameter


class AddressBook(Construct):
    """deployed names -> SSM parameter /fairway/{project}/{stage} -> the fairway command, and .../lake -> the templates
    of other stages. It contains no secret.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, **addresses: str | dict[str, str]) -> None:
        super().__init__(scope, id)
        book = {"stage": config.stage, "project": config.project.name, "region": config.target.region, **addresses}
        self.parameter = ssm.StringParameter(
            self,
            "Parameter",
            parameter_name=f"/fairway/{config.project.name}/{config.stage}",
            description="Where the fairway command finds this stage",
            string_value=Stack.of(self).to_json_string(book),
        )
        # by itself, as a template can name it: a stage that replays what this one captured
        self.lake = ssm.StringParameter(
            self,
            "Lake",
            parameter_name=lake_parameter(config.project.name, config.stage),
            description="The lake of this stage",
            string_value=str(addresses["lake"]),
        )
