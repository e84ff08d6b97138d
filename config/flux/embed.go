package flux

import _ "embed"

// Sync are the objects of Flux, as YAML. The Kustomization osm-mesh says when a Mesh is ready and when it has failed.
//
//go:embed sync.yaml
var Sync string
