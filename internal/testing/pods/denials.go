package pods

import (
	"slices"
	"sync"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
)

// denials collects the entries that sidecars send to the control plane, by the node.
type denials struct {
	accesslogv3.UnimplementedAccessLogServiceServer
	mu      sync.Mutex
	entries map[string][]*datav3.AccessLogCommon
}

// Denials returns the entries of the log of denials that a pod's sidecar has sent.
func (n *Network) Denials(pod string) []*datav3.AccessLogCommon {
	n.xds.denials.mu.Lock()
	defer n.xds.denials.mu.Unlock()
	return slices.Clone(n.xds.denials.entries[pod])
}

// StreamAccessLogs implements accesslogv3.AccessLogServiceServer. Only the first message of a stream contains the node.
func (d *denials) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	node := ""
	for {
		m, err := stream.Recv()
		if err != nil {
			return nil // the sidecar has ended
		}
		if m.GetIdentifier() != nil {
			node = m.GetIdentifier().GetNode().GetId()
		}
		d.mu.Lock()
		for _, entry := range m.GetTcpLogs().GetLogEntry() {
			d.entries[node] = append(d.entries[node], entry.GetCommonProperties())
		}
		d.mu.Unlock()
	}
}
