package dist

import _ "embed"

// Operator is the operator with everything that it needs, as YAML documents in the order to apply them.
//
//go:embed install.yaml
var Operator []byte
