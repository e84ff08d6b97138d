// Command generate writes the generated files of the checkout: go run ./generate [-check] [STEP...]
//
// Input: the types in api, the kustomize trees in config, the commands of osm. Output: the generated files, in place,
// listed in steps.go. With -check nothing is written, and the command fails with the names of outdated files. The steps
// are code (deepcopy functions), manifests (CRDs, dist/install.yaml) and docs (references of commands, fields and messages). Without a
// step, all of them run.
package main
