// Command tool runs a developer's tool at the version that the checkout pins: go run ./tool [-C FOLDER] NAME [ARGUMENT...]
//
// In: a folder of hack/tools with a go.mod of its own, which names the tool and its version, and the tool's
// arguments. Out: what the tool prints, and its exit code. The tool is built on first use and kept in the cache
// folder. It runs in the given folder, by default in the root of the checkout.
package main
