package translate

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// keepTCP reports a TCP port of a Service with TrafficSplits. An HTTPRoute does not apply to it. A TrafficSplit with matches does not either.
func (t *toRoutes) keepTCP(root catalog.Name, port catalog.Port, found *obstacles) {
	if split := t.view.Split(root); split != nil {
		found.keep(split.Ref(), "Keep it for the TCP port %d, to which HTTPRoutes do not apply.", port.Number)
	}
}
