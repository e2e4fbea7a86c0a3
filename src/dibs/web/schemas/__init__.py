"""What goes in and out, for marshmallow and the OpenAPI page: a module for each resource."""
