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

// DrainMarks returns the drain marks of a listener by filter chain; nil if it has none.
func DrainMarks(r Resource) map[string]string {
	var marks map[string]string
	listener, _ := r.Message.(*listenerv3.Listener)
	for _, chain := range listener.GetFilterChains() {
		mark := chain.GetMetadata().GetFilterMetadata()[metadataNamespace].GetFields()[markField].GetStringValue()
		if mark == "" {
			continue
		}
		if marks == nil {
			marks = map[string]string{}
		}
		marks[chain.GetName()] = mark
	}
	return marks
}

// WithDrainMarks returns a listener whose filter chains have the marks that markOf returns for their names; empty for none.
func WithDrainMarks(listener *listenerv3.Listener, markOf func(chain string) string) *listenerv3.Listener {
	marked := proto.CloneOf(listener)
	for _, chain := range marked.GetFilterChains() {
		chain.Metadata = drainMark(markOf(chain.GetName()))
	}
	return marked
}

// InboundListener is the name of the listener whose filter chains have drain marks.
const InboundListener = inboundListener
