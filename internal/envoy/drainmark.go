package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// markNamespace and markField say where in a chain's metadata its drain mark is.
const (
	markNamespace = "osm"
	markField     = "drain"
)

// drainMark makes a chain differ from its predecessor, and nothing else: Envoy drains the chain that changed.
func drainMark(mark string) *corev3.Metadata {
	if mark == "" {
		return nil
	}
	return &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		markNamespace: {Fields: map[string]*structpb.Value{markField: structpb.NewStringValue(mark)}},
	}}
}

// WithoutDrainMarks is the listener as it would be if no permission had ever been taken away, and whether that differs from r.
// A control plane that has just started knows of no permission that was taken away; by this it recognises a listener of one
// that does.
func WithoutDrainMarks(r Resource) (Resource, bool) {
	listener, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return r, false
	}
	marked := false
	for _, chain := range listener.GetFilterChains() {
		marked = marked || chain.GetMetadata().GetFilterMetadata()[markNamespace] != nil
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
