package scope

import (
	"strconv"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ClusterName is OSM's name of an upstream cluster, "<namespace>/<service>|<target port>".
func ClusterName(service catalog.Name, targetPort uint16) string {
	return service.Namespace + "/" + service.Name + "|" + strconv.Itoa(int(targetPort))
}
