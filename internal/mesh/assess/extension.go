package assess

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
)

// ExtensionService returns the ExtensionService to which a policy of a namespace refers, or nil if it cannot be used.
func (m Mesh) ExtensionService(namespace string, name entity.Name) *catalog.ExtensionService {
	service, _ := finding.Extension(m.View, m.Namespace, namespace, name, "")
	return service
}
