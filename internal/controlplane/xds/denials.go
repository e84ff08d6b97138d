package xds

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// minDenialInterval is the minimum time between two messages of a stream. Flow control delays earlier ones, and Envoy then omits entries. A
	// sidecar with few denials sends one every envoy.DenialInterval.
	minDenialInterval = time.Second / 2
	// idleDenialStream is how long a stream stays open without a message. Envoy opens it again with the next denial.
	idleDenialStream = time.Minute
	// maxDenials is how many entries of a message are read. Messages of Envoy have 16 KiB, which is room for less than 200.
	maxDenials = 1000
)

// StreamAccessLogs implements accesslogv3.AccessLogServiceServer: sidecars report what they deny.
//
// Denials are recorded for the pod of the token, so a pod can only report about itself. Its discovery stream may belong to another replica: threads
// of Envoy connect on their own.
func (s *Server) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	peer, err := s.authenticate(stream.Context())
	if err != nil {
		return err
	}
	conn := connectionOf(stream.Context())
	peer.Address = conn.address()
	pod, err := s.config.Store.LivePod(stream.Context(), peer)
	if err != nil {
		return s.connectStatus(peer, err)
	}
	end, err := s.config.Denials.Begin(peer.InstanceID)
	if err != nil {
		s.metrics.rejected.WithLabelValues("denials").Inc()
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	defer end()
	defer conn.beginStream()()
	messages := make(chan *accesslogv3.StreamAccessLogsMessage)
	go func() {
		defer close(messages)
		receiveDenials(stream, messages)
	}()
	reporter := denials.Reporter{Account: pod.Identity(), Workload: pod.Workload, IPs: pod.IPs}
	err = s.handleDenials(stream, peer, reporter, messages)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return s.streamStatus(peer, err)
}

// receiveDenials forwards messages until the stream ends.
func receiveDenials(stream accesslogv3.AccessLogService_StreamAccessLogsServer, messages chan<- *accesslogv3.StreamAccessLogsMessage) {
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		select {
		case messages <- m:
			handledFunc(stream.Context(), m)()
		case <-stream.Context().Done():
			return
		}
	}
}

// handleDenials records denials until the stream ends. The error is io.EOF if the client ends it or has sent nothing for a while.
func (s *Server) handleDenials(
	stream accesslogv3.AccessLogService_StreamAccessLogsServer, peer Peer, reporter denials.Reporter, messages <-chan *accesslogv3.StreamAccessLogsMessage,
) error {
	expiry, silence, pause := time.NewTimer(peer.Expiry.Sub(s.config.Now())), time.NewTimer(firstRequestTimeout), time.NewTimer(0)
	defer expiry.Stop()
	defer silence.Stop()
	defer pause.Stop()
	silent := errNoRequest
	handle := func(m *accesslogv3.StreamAccessLogsMessage, atLeast bool) {
		s.recordDenials(reporter, m, atLeast && errors.Is(silent, io.EOF))
		silent = io.EOF
		silence.Reset(idleDenialStream)
		pause.Reset(minDenialInterval)
	}
	// next is nil during the pause after a message.
	next := (<-chan *accesslogv3.StreamAccessLogsMessage)(nil)
	for {
		select {
		case <-stream.Context().Done():
			return io.EOF
		case <-expiry.C:
			return delta.ErrExpired
		case <-silence.C:
			return silent
		case <-pause.C:
			if _, err := s.config.Store.LivePod(stream.Context(), peer); err != nil {
				return fmt.Errorf("%w: %w", snapshot.ErrGone, err)
			}
			next = messages
			select {
			case m, more := <-messages: // it waited, so Envoy may have omitted entries
				if !more {
					return io.EOF
				}
				next = nil
				handle(m, true)
			default:
			}
		case m, more := <-next:
			if !more {
				return io.EOF
			}
			next = nil
			handle(m, false)
		}
	}
}

// recordDenials records the entries of a message.
func (s *Server) recordDenials(reporter denials.Reporter, m *accesslogv3.StreamAccessLogsMessage, atLeast bool) {
	entries := m.GetTcpLogs().GetLogEntry()
	if len(entries) > maxDenials {
		s.config.Denials.Drop(len(entries) - maxDenials)
		entries, atLeast = entries[:maxDenials], true
	}
	domains := s.config.Store.Trust().TrustDomains.Clients
	var events []denials.Event
	for _, entry := range entries {
		if event, ok := denialOf(entry.GetCommonProperties(), domains); ok {
			events = append(events, event)
		} else {
			s.config.Denials.Drop(1)
		}
	}
	s.config.Denials.Record(reporter, events, atLeast)
}

// denialOf returns the denial in an entry. It is false for one without a destination.
func denialOf(entry *datav3.AccessLogCommon, trustDomains []string) (denials.Event, bool) {
	address, ok := addressOf(entry.GetDownstreamLocalAddress())
	if !ok {
		return denials.Event{}, false
	}
	event := denials.Event{Address: address, Client: clientOf(entry.GetCustomTags()[envoy.IdentityTag], trustDomains), Reason: denials.NoPolicy}
	event.Service = serviceOf(entry.GetTlsProperties().GetTlsSniHostname())
	switch {
	case strings.HasPrefix(entry.GetCustomTags()[envoy.DetailsTag], envoy.AuthorizationDetails):
		event.Reason = denials.ExternalAuthorization
	case entry.GetResponseFlags().GetNoRouteFound() && entry.GetDownstreamTransportFailureReason() != "":
		event.Reason = denials.NoCertificate
	}
	return event, true
}

func addressOf(address *core.Address) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(address.GetSocketAddress().GetAddress())
	port := address.GetSocketAddress().GetPortValue()
	if err != nil || port > 1<<16-1 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(port)), true
}

// clientOf returns the identity in the DNS names of a certificate, or zero.
func clientOf(principals string, trustDomains []string) identity.ServiceAccount {
	for principal := range strings.SplitSeq(principals, ",") {
		for _, domain := range trustDomains {
			account, err := identity.ParsePrincipal(principal, domain)
			if err == nil && len(validation.IsDNS1123Subdomain(account.Name)) == 0 && len(validation.IsDNS1123Label(account.Namespace)) == 0 {
				return account
			}
		}
	}
	return identity.ServiceAccount{}
}

// serviceOf returns the Service that a client of the mesh names in its TLS handshake, or zero.
func serviceOf(host string) entity.Name {
	parts := strings.Split(host, ".")
	if len(parts) < 2 || names.ServiceHost(parts[0], parts[1]) != host ||
		slices.ContainsFunc(parts[:2], func(p string) bool { return len(validation.IsDNS1123Label(p)) > 0 }) {
		return entity.Name{}
	}
	return entity.Name{Namespace: parts[1], Name: parts[0]}
}
