// Command tool runs a developer's tool at the version that the checkout pins: go run ./tool NAME [ARGUMENT...]
//
// In: a folder of hack/tools with a go.mod of its own, which names the tool and its version, and the tool's
// arguments. Out: what the tool prints, and its exit code. The tool is built on first use and kept in the cache
// folder. It runs in the folder that $OSM_TOOL_DIR names, by default the root of the checkout.
package main
