package resource

import (
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// LosesGrant reports whether a listener takes something away from the connections of its predecessor. It is true for contents that are no listeners.
func LosesGrant(before, after *Content) bool {
	held, err := before.listenerGrants()
	current, alsoErr := after.listenerGrants()
	return err != nil || alsoErr != nil || envoy.LosesGrant(held, current)
}

func (c *Content) listenerGrants() ([]envoy.Grant, error) {
	listener := &listenerv3.Listener{}
	if err := c.decode(listener); err != nil {
		return nil, err
	}
	return envoy.ListenerGrants(listener), nil
}
