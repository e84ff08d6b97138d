// Command generate writes the files of the checkout that are made from others: go run ./generate [-check] [STEP...]
//
// In: the types in api, the trees in config, the commands of osm. Out: the generated files, in place, listed in steps.go; with -check
// nothing is written, and the command fails with the names of the files that are not what would be generated. The
// steps are code (deepcopy functions), manifests (definitions, dist/install.yaml) and docs (the reference of the command
// line); none named means all.
package main
