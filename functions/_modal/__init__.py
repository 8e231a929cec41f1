"""What a service needs of Modal: an App with stages, images, machines, secrets, and a store that one container writes.

service   the App: stages, workers, endpoints, in Modal's containers or in this process
images    pinned packages in layers, for tables and for GPUs
machines  a stage's table of modal.toml as Modal's options
volume    the embedded store on a volume: copy, work, publish, commit
lease     one writer at a time
bearer    a token in front of an endpoint
serving   a model that answers over HTTP
port      a port of this machine, for what serves here
"""

from functions._modal.images import gpu_image, image
from functions._modal.service import Service, here

__all__ = ["Service", "gpu_image", "here", "image"]
