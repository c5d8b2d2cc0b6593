"""A project folder of a user's own: configuration, folders for data and the notebook, around the installed package."""

from rankhammer.project_template.create import checkout, create_project, template_files

__all__ = ["checkout", "create_project", "template_files"]
