package kinds

import (
	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// MeshConfig watches the MeshConfig named osm-mesh-config and calls listener with every version. Other MeshConfigs are ignored.
func MeshConfig(listener func(*configv1alpha2.MeshConfig)) Source {
	convert := func(mc *configv1alpha2.MeshConfig) (*catalog.Settings, []ingest.Problem) {
		if mc.Name != names.MeshConfig {
			return nil, nil
		}
		listener(mc)
		return ingest.MeshConfig(mc)
	}
	return SourceOf(catalog.KindSettings, &configv1alpha2.MeshConfig{}, convert)
}
