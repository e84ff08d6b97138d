// Command osm is the command line of Open Service Mesh. See docs/cli.
package main
