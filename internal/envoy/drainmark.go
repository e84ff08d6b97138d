package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
)

// markField is the drain mark in the metadata of a filter chain.
const markField = "drain"

// drainMark is metadata that makes a filter chain differ from its predecessor, so that Envoy drains the chain's
// connections.
func drainMark(mark string) *corev3.Metadata {
	if mark == "" {
		return nil
	}
	return metadata(map[string]string{markField: mark})
}

// WithoutDrainMarks returns the listener without drain marks, and whether it had any. A restarted control plane has no
// drain marks; it uses this to recognize a listener that another replica sent.
func WithoutDrainMarks(r Resource) (Resource, bool) {
	listener, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return r, false
	}
	marked := false
	for _, chain := range listener.GetFilterChains() {
		marked = marked || chain.GetMetadata().GetFilterMetadata()[metadataNamespace] != nil
	}
	if !marked {
		return r, false
	}
	plain, ok := proto.Clone(listener).(*listenerv3.Listener)
	if !ok {
		return r, false
	}
	for _, chain := range plain.GetFilterChains() {
		chain.Metadata = nil
	}
	r.Message = plain
	return r, true
}
