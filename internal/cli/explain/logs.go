package explain

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// logs describes the Telemetries of the sidecars behind an identity. Without one, their access log has the default format.
func logs(v *catalog.View, destination identity.ServiceAccount) []string {
	var all []string
	for _, name := range v.TelemetriesOf(destination) {
		policy := v.Telemetry(name)
		if policy == nil {
			continue
		}
		text := "by Telemetry " + name.String()
		if policy.Filter != "" {
			text += ", if " + policy.Filter
		}
		if policy.Export != (catalog.Name{}) {
			text += ", exported to ExtensionService " + policy.Export.String()
			if v.ExtensionService(name.Namespace, policy.Export) == nil {
				text += ", which cannot be used"
			}
		}
		all = append(all, text)
	}
	return slices.Compact(all)
}
