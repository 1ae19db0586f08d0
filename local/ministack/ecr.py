"""DescribeImages answers ImageNotFoundException for a missing image: any other answer reads as "already pushed"."""

import json

from ministack.core.responses import error_response_json
from ministack.services import ecr

HOOKS = ("ministack.services.ecr:_describe_images",)


def register() -> None:
    stock = ecr._describe_images

    def describe_images(request):
        reply = stock(request)
        wanted = request.get("imageIds")
        if wanted and reply[0] == 200 and not json.loads(reply[2])["imageDetails"]:
            return error_response_json(
                "ImageNotFoundException",
                f"The image with imageId {wanted[0]} does not exist within the repository with "
                f"name '{request['repositoryName']}' in the registry",
                400,
            )
        return reply

    ecr._describe_images = describe_images
