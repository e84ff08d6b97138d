package resource

import (
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// LosesGrant reports whether a listener takes something away from the connections of its predecessor. It is true for contents that are no listeners.
func LosesGrant(before, after *Content) bool {
	held, err := before.listenerGrants()
	current, alsoErr := after.listenerGrants()
	return err != nil || alsoErr != nil || envoy.LosesGrant(held, current)
}

// unsureMark ends the version of a listener that the client may receive after its drain began, and then does not apply.
const unsureMark = "~"

// WithUnsureMark returns a listener whose version says that the client may not have applied it.
func (c *Content) WithUnsureMark() *Content {
	version := Versioned{Content: c, Version: c.hash}.WireVersion() + unsureMark
	return &Content{kind: c.kind, name: c.name, hash: c.hash, encoded: c.encoded, bindsPort: c.bindsPort, marks: c.marks, wireVersion: version}
}

// CutUnsureMark returns the version of a listener without the mark of WithUnsureMark, and whether it had one.
func CutUnsureMark(version string) (string, bool) { return strings.CutSuffix(version, unsureMark) }

func (c *Content) listenerGrants() ([]envoy.Grant, error) {
	listener := &listenerv3.Listener{}
	if err := c.decode(listener); err != nil {
		return nil, err
	}
	return envoy.ListenerGrants(listener), nil
}
