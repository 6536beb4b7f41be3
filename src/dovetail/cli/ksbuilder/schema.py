"""`ksbuilder schema`: JSON Schemas for editors."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder.check_errors import UnknownSchema
from dovetail.cli.ksbuilder.reporting import print_json


@click.command()
@click.argument("name", default="")
@click.option("--output-dir", type=click.Path(path_type=Path), help="Write all of them there, NAME.json.")
def schema(name: str, output_dir: Path | None) -> None:
    """Print the JSON Schema NAME: extension, permissions, or a kind such as ReverseProxy. Without NAME, list them.

    \b
    An editor with the YAML language server takes it from the first line of a file:
      # yaml-language-server: $schema=./schemas/extension.json
    """
    from dovetail.packaging.editor_schemas import schemas

    known = schemas()
    if name and name not in known:
        raise UnknownSchema(name, known)
    if output_dir is not None:
        import json

        output_dir.mkdir(parents=True, exist_ok=True)
        for each in [name] if name else known:
            target = output_dir / f"{each}.json"
            target.write_text(json.dumps(known[each](), indent=2, ensure_ascii=False) + "\n", "utf-8")
            click.echo(f"wrote {target}")
    elif name:
        print_json(known[name]())
    else:
        click.echo("\n".join(known))
