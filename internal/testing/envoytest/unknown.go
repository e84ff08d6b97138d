package envoytest

import (
	"encoding/json"
	"strings"
)

// unknownToEarlier are the fields of messages that the earlier minor version of Envoy does not know. It ignores them in what the control plane sends, and
// rejects them in a file.
var unknownToEarlier = map[string]string{"OpenTelemetryAccessLogConfig": "resourceDetectors"}

// withoutUnknown removes these fields from a configuration in JSON.
func withoutUnknown(config []byte) ([]byte, error) {
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		return nil, err
	}
	removeUnknown(tree)
	return json.Marshal(tree)
}

func removeUnknown(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, element := range node {
			removeUnknown(element)
		}
	case map[string]any:
		kind, _ := node["@type"].(string)
		delete(node, unknownToEarlier[kind[strings.LastIndex(kind, ".")+1:]])
		for _, value := range node {
			removeUnknown(value)
		}
	}
}
