package peering

import "github.com/prometheus/client_golang/prometheus"

// metrics have labels with the names of peers, of which there are at most catalog.MaxPeers.
type metrics struct {
	connected, services, streams *prometheus.GaugeVec
	// invalid and undeclared are the rejected records, and when the trust in roots ends that are not declared.
	invalid, undeclared         *prometheus.GaugeVec
	received, rejected, refused *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"peer"})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		connected: gauge("osm_peer_connected", "1 while there is a stream to the control plane of the peer, else 0."),
		services:  gauge("osm_peer_services", "Services that the peer exports to this mesh."),
		invalid:   gauge("osm_peer_rejected_records", "Records of the peer that are rejected now. The earlier record of the same name remains in force."),
		undeclared: gauge("osm_peer_undeclared_roots_expiration_timestamp_seconds",
			"Unix time at which roots of the peer that its MeshPeer does not declare are no longer trusted. It is absent without such roots."),
		streams:  gauge("osm_peer_streams", "Streams of the peer's control plane to this one."),
		received: counter("osm_peer_responses_total", "Responses of the peer.", "peer"),
		rejected: counter("osm_peer_rejected_responses_total", "Responses of the peer with rejected records, by the reason for the first of them.", "peer", "reason"),
		refused:  counter("osm_peer_closed_connections_total", "Connections and streams of peers that were closed.", "reason"),
	}
	registerer.MustRegister(m.connected, m.services, m.streams, m.invalid, m.undeclared, m.received, m.rejected, m.refused)
	return m
}

// forget removes the series of a peer that was removed.
func (m *metrics) forget(peer string) {
	labels := prometheus.Labels{"peer": peer}
	for _, gauge := range []*prometheus.GaugeVec{m.connected, m.services, m.streams, m.invalid, m.undeclared} {
		gauge.DeletePartialMatch(labels)
	}
	m.received.DeletePartialMatch(labels)
	m.rejected.DeletePartialMatch(labels)
}
