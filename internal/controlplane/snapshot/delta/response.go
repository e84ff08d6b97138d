package delta

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Response is a delta discovery response.
type Response struct {
	Type      resourcetype.Type
	Nonce     string
	Resources []resource.Versioned
	// Removed has the names of resources that were removed or do not exist.
	Removed []string
}

// Field numbers of envoy.service.discovery.v3.DeltaDiscoveryResponse and Resource.
const (
	fieldResources       = 2
	fieldTypeURL         = 4
	fieldNonce           = 5
	fieldRemoved         = 6
	fieldResourceVersion = 1
)

// Sizes in bytes.
const (
	// shareThreshold is the size from which an encoded content is referred to instead of copied.
	shareThreshold = 1024
	// maxResourceOverhead is an upper bound of the encoded fields of a Resource around its content, without WireVersion.
	maxResourceOverhead = 48
)

// Encode returns the message in parts to be written one after the other. Parts are shared between responses and must not be
// modified.
func (r *Response) Encode() [][]byte {
	parts := make([][]byte, 0, 4)
	buf := make([]byte, 0, r.maxCopiedSize())
	start := 0
	for _, res := range r.Resources {
		version, encoded := res.WireVersion(), res.Encoded()
		size := protowire.SizeTag(fieldResourceVersion) + protowire.SizeBytes(len(version)) + len(encoded)
		buf = protowire.AppendVarint(protowire.AppendTag(buf, fieldResources, protowire.BytesType), uint64(size))
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldResourceVersion, protowire.BytesType), version)
		if len(encoded) < shareThreshold {
			buf = append(buf, encoded...)
			continue
		}
		parts = append(parts, buf[start:len(buf):len(buf)], encoded)
		start = len(buf)
	}
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldTypeURL, protowire.BytesType), r.Type.URL())
	buf = protowire.AppendString(protowire.AppendTag(buf, fieldNonce, protowire.BytesType), r.Nonce)
	for _, name := range r.Removed {
		buf = protowire.AppendString(protowire.AppendTag(buf, fieldRemoved, protowire.BytesType), name)
	}
	return append(parts, buf[start:])
}

// maxCopiedSize returns an upper bound of the size of the parts that are not shared.
func (r *Response) maxCopiedSize() int {
	size := len(r.Type.URL()) + len(r.Nonce) + 16
	for _, res := range r.Resources {
		size += maxResourceOverhead + len(res.Content.WireVersion())
		if n := len(res.Encoded()); n < shareThreshold {
			size += n
		}
	}
	for _, name := range r.Removed {
		size += len(name) + 8
	}
	return size
}

// contentSize returns the size of the resources without their versions.
func (r *Response) contentSize() int {
	size := 0
	for _, res := range r.Resources {
		size += len(res.Encoded())
	}
	return size
}

// encodedSize returns an upper bound of the size of a resource in a response.
func encodedSize(res resource.Versioned) int {
	return len(res.Encoded()) + len(res.Content.WireVersion()) + maxResourceOverhead
}

// Proto returns the response as a message.
func (r *Response) Proto() (*discovery.DeltaDiscoveryResponse, error) {
	message := &discovery.DeltaDiscoveryResponse{}
	if err := proto.Unmarshal(bytes.Join(r.Encode(), nil), message); err != nil {
		return nil, fmt.Errorf("the %s response does not decode: %w", r.Type, err)
	}
	return message, nil
}

// certificateVersion returns the version of the service certificate in the response; empty without one.
func (r *Response) certificateVersion() string {
	if r.Type != resourcetype.Secrets {
		return ""
	}
	for _, res := range r.Resources {
		if res.Name() == envoy.ServiceCertName {
			return res.WireVersion()
		}
	}
	return ""
}

// emptyRoutes answers a subscription to a route configuration that does not exist. Envoy ignores the removal of one, and its
// listener would wait for it. A client with undivided responses gets no answer: such a sidecar of Open Service Mesh comes from another control
// plane, and its draining listeners need the routes that they have from there.
func emptyRoutes(name string) resource.Versioned {
	c, err := resource.New(envoy.Resource{TypeURL: resourcetype.Routes.URL(), Name: name, Message: &route.RouteConfiguration{Name: name}})
	if err != nil { // the type is known, and a name from a protobuf message is valid UTF-8
		panic(err)
	}
	return resource.Versioned{Content: c, Version: stateEmptyRoutes}
}

// nextPart returns the next part of a rejected response, or nil if there is none or it must wait.
func (q *sequencer) nextPart(t resourcetype.Type, snap Snapshot, now time.Time) *Response {
	st := &q.types[t]
	for part := st.bisector.NextPart(now); part != nil; part = st.bisector.NextPart(now) {
		r := &Response{Type: t}
		for _, name := range part {
			if res, ok := q.unchanged(t, name, snap); ok {
				r.Resources = append(r.Resources, q.withMarks(res, now))
			}
		}
		if len(r.Resources) > 0 {
			q.resend(r, now)
			return r
		}
	}
	return nil
}

// unchanged returns a resource if the snapshot still has the sent version. A changed resource is sent as a change.
func (q *sequencer) unchanged(t resourcetype.Type, name string, snap Snapshot) (resource.Versioned, bool) {
	version, known := q.types[t].versions.get(name)
	c, exists := snap.Content(t, name)
	if !known || !exists {
		return resource.Versioned{}, false
	}
	res := q.versioned(t, c)
	return res, version == res.Version
}

// resend puts resources in flight that were sent before.
func (q *sequencer) resend(r *Response, now time.Time) {
	if r.Type == resourcetype.Clusters {
		for _, res := range r.Resources {
			q.recordSentCluster(res.Name(), res, now)
			if _, subscribed := q.types[resourcetype.Endpoints].versions.get(res.Name()); subscribed {
				q.types[resourcetype.Endpoints].versions.set(res.Name(), stateUnknown)
			}
		}
	}
	q.setInFlight(r, now)
}

// Metrics counts requests and responses of all streams. No label names a proxy: such series would grow with every pod.
type Metrics struct {
	sent, sentBytes, sendErrors, requests, rejections *prometheus.CounterVec
	reconnects, otherCertificates                     prometheus.Counter
	unknownDestinations, refusedDestinations          prometheus.Counter
	withdrawnDestinations                             prometheus.Counter
	latency                                           *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	byType := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"type"})
	}
	m := &Metrics{
		sent:                  byType("osm_proxy_response_send_success_count", "Responses sent to sidecars."),
		sentBytes:             byType("osm_proxy_response_bytes_total", "Bytes of resources in responses sent to sidecars."),
		sendErrors:            byType("osm_proxy_response_send_error_count", "Responses that could not be sent to sidecars."),
		requests:              byType("osm_proxy_xds_request_count", "Requests of sidecars."),
		rejections:            byType("osm_proxy_response_rejected_count", "Responses that sidecars rejected."),
		reconnects:            counter("osm_proxy_reconnect_count", "Streams of sidecars that already had configuration."),
		otherCertificates:     counter("osm_proxy_foreign_secret_request_count", "Subscriptions of sidecars to certificates of other workloads."),
		unknownDestinations:   counter("osm_proxy_unknown_destination_count", "Destinations that sidecars asked for though they may not call them or none exists."),
		refusedDestinations:   counter("osm_proxy_refused_destination_count", "Unknown destinations that got no answer because a sidecar asked for too many at a time, or for what is no destination."),
		withdrawnDestinations: counter("osm_proxy_withdrawn_destination_count", "Clusters of unknown destinations that were removed from sidecars because they had asked for too many."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "osm_proxy_config_update_time",
			Help:    "Seconds from a change to its acknowledgement or rejection by a sidecar.",
			Buckets: []float64{.001, .005, .02, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 90},
		}, []string{"resource_type", "success"}),
	}
	registerer.MustRegister(m.sent, m.sentBytes, m.sendErrors, m.requests, m.rejections, m.reconnects, m.otherCertificates, m.unknownDestinations,
		m.refusedDestinations, m.withdrawnDestinations, m.latency)
	return m
}

func (m *Metrics) countResponse(r *Response, err error) {
	if err != nil {
		m.sendErrors.WithLabelValues(r.Type.String()).Inc()
		return
	}
	m.sent.WithLabelValues(r.Type.String()).Inc()
	m.sentBytes.WithLabelValues(r.Type.String()).Add(float64(r.contentSize()))
}

// countDestinations counts names without a destination.
func (m *Metrics) countDestinations(counts destinationCounts) {
	m.refusedDestinations.Add(float64(counts.refused))
	m.unknownDestinations.Add(float64(counts.unanswerable))
	m.withdrawnDestinations.Add(float64(counts.withdrawn))
}

func (m *Metrics) countRequest(result requestResult, otherCertificates int) {
	m.requests.WithLabelValues(result.Type.String()).Inc()
	m.otherCertificates.Add(float64(otherCertificates))
	if result.IsReconnect {
		m.reconnects.Inc()
	}
	if !result.IsAnswer {
		return
	}
	acknowledged := result.Message == ""
	if !acknowledged {
		m.rejections.WithLabelValues(result.Type.String()).Inc()
	}
	m.latency.WithLabelValues(result.Type.String(), strconv.FormatBool(acknowledged)).Observe(result.Latency.Seconds())
}
