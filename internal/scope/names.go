package scope

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// ClusterName is OSM's name of an upstream cluster, "<namespace>/<service>|<target port>".
func ClusterName(service catalog.Name, targetPort uint16) string {
	return fmt.Sprintf("%s|%d", service, targetPort)
}
