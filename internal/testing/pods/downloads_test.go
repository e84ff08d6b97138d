package pods_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// BenchmarkDownloads compares downloads of 100 MiB through sidecars with and without bounds of their buffers, one after the other.
func BenchmarkDownloads(b *testing.B) {
	for _, version := range []string{"HTTP1", "HTTP2"} {
		b.Run(version, func(b *testing.B) {
			bounded, unbounded := newDownloads(b, pods.NewNetwork(b)), newDownloads(b, pods.NewNetwork(b))
			unbounded.removeBounds(b)
			times := map[*shop]time.Duration{}
			for range b.N {
				for _, s := range []*shop{bounded, unbounded, unbounded, bounded} {
					times[s] += s.timeOfDownload(b, version)
				}
			}
			b.ReportMetric(float64(2*b.N*downloadBytes)/(1<<20)/times[bounded].Seconds(), "MiB/s")
			b.ReportMetric(times[unbounded].Seconds()/times[bounded].Seconds(), "of-unbounded")
		})
	}
}

func (s *shop) timeOfDownload(t testing.TB, version string) time.Duration {
	t.Helper()
	transport := &http.Transport{DialContext: s.client.NS.Dial, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(version == "HTTP1")
	transport.Protocols.SetUnencryptedHTTP2(version == "HTTP2")
	defer transport.CloseIdleConnections()
	began := time.Now()
	answer, err := (&http.Client{Transport: transport}).Get("http://" + webIP.String() + "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if size, err := io.Copy(io.Discard, answer.Body); size != downloadBytes {
		t.Fatalf("a download ended after %d bytes: %v", size, err)
	}
	return time.Since(began)
}

// removeBounds gives the sidecars of a shop the defaults of Envoy.
func (s *shop) removeBounds(t testing.TB) {
	t.Helper()
	client, server := s.clientScope(), s.openServer()
	s.server.SendAll(t, server, withoutBounds(t, envoy.Build(server)))
	s.client.SendAll(t, client, withoutBounds(t, envoy.Build(client)), s.endpoints(client)...)
}

func withoutBounds(t testing.TB, built []envoy.Resource) []envoy.Resource {
	t.Helper()
	out := make([]envoy.Resource, 0, len(built))
	for _, r := range built {
		switch m := proto.Clone(r.Message).(type) {
		case *clusterv3.Cluster:
			m.PerConnectionBufferLimitBytes = nil
			for name, options := range m.GetTypedExtensionProtocolOptions() {
				m.TypedExtensionProtocolOptions[name] = changed(t, options, &httpv3.HttpProtocolOptions{}, func(o *httpv3.HttpProtocolOptions) {
					if http2 := o.GetUseDownstreamProtocolConfig().GetHttp2ProtocolOptions(); http2 != nil {
						http2.InitialStreamWindowSize = nil
					}
				})
			}
			r.Message = m
		case *listenerv3.Listener:
			m.PerConnectionBufferLimitBytes = nil
			for _, chain := range m.GetFilterChains() {
				for _, filter := range chain.GetFilters() {
					if config := filter.GetTypedConfig(); config.MessageIs(&hcmv3.HttpConnectionManager{}) {
						without := changed(t, config, &hcmv3.HttpConnectionManager{}, func(m *hcmv3.HttpConnectionManager) { m.Http2ProtocolOptions = nil })
						filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: without}
					}
				}
			}
			r.Message = m
		}
		out = append(out, r)
	}
	return out
}

// changed returns a packed message after a change.
func changed[M proto.Message](t testing.TB, packed *anypb.Any, m M, change func(M)) *anypb.Any {
	t.Helper()
	if err := packed.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
