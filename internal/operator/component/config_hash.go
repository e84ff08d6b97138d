package component

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ConfigHashAnnotation on a pod template restarts the pods when its value changes.
const ConfigHashAnnotation = "operator.openservicemesh.io/config-hash"

// ConfigHash changes with the content of ConfigMaps.
func ConfigHash(configs ...*corev1.ConfigMap) string {
	sum := sha256.New()
	for _, config := range configs {
		for _, file := range slices.Sorted(maps.Keys(config.Data)) {
			fmt.Fprintf(sum, "%s\n%s\n", file, config.Data[file])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}
