// Command tool runs a developer tool in the version that the checkout pins: go run ./tool [-C FOLDER] NAME
// [ARGUMENT...]
//
// Input: a folder of hack/tools whose go.mod pins the tool, and the tool's arguments. Output: the output and exit code
// of the tool. The tool is built on first use and kept in the cache folder. It runs in the given folder, by default the
// root of the checkout.
package main
