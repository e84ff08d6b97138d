package delta

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// versionedOf returns resources of a snapshot in the order of their names.
func versionedOf(c *conversation, t resourcetype.Type, names ...string) []resource.Versioned {
	var list []resource.Versioned
	for _, name := range names {
		content := c.snapshot.contents[t][name]
		list = append(list, resource.Versioned{Content: content, Version: content.Hash()})
	}
	return list
}

// TestResponseIsOfTheProtocol checks what a client reads, and that large resources are not copied.
func TestResponseIsOfTheProtocol(t *testing.T) {
	c := newConversation(t)
	for name, text := range map[string]string{"small": "1", "large": strings.Repeat("x", shareThreshold), "next": "2"} {
		c.put(resourcetype.Clusters, name, text)
	}
	c.set(resourcetype.Clusters, "versioned", "3", "its own")
	r := &Response{Type: resourcetype.Clusters, Nonce: "7", Resources: versionedOf(c, resourcetype.Clusters, "small", "large", "versioned", "next"), Removed: []string{"a", "b"}}
	message, err := r.Proto()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, res := range message.GetResources() {
		got = append(got, res.GetName())
		if want := r.Resources[i].WireVersion(); res.GetVersion() != want || res.GetResource().GetTypeUrl() != envoy.ClusterType {
			t.Errorf("%s has the version %q and the type %s, want %q", res.GetName(), res.GetVersion(), res.GetResource().GetTypeUrl(), want)
		}
	}
	if !slices.Equal(got, []string{"small", "large", "versioned", "next"}) || message.GetTypeUrl() != envoy.ClusterType || message.GetNonce() != "7" || !slices.Equal(message.GetRemovedResources(), []string{"a", "b"}) {
		t.Errorf("%v, type %s, nonce %s, removed %v", got, message.GetTypeUrl(), message.GetNonce(), message.GetRemovedResources())
	}
	parts := r.Encode()
	if large := r.Resources[1].Encoded(); len(parts) != 3 || &parts[1][0] != &large[0] {
		t.Errorf("%d parts, want the large resource as one of three", len(parts))
	}
	copied, size := 0, 0
	for i, part := range parts {
		if size += len(part); i != 1 {
			copied += len(part)
		}
	}
	if limit := r.maxCopiedSize(); copied > limit || limit > copied+400 {
		t.Errorf("%d bytes are copied, expected %d", copied, limit)
	}
	upper := 200
	for _, res := range r.Resources {
		upper += encodedSize(res)
	}
	if size > upper || r.contentSize() > size || r.contentSize() < size-400 {
		t.Errorf("%d bytes, of which %d are contents, expected %d", size, r.contentSize(), upper)
	}
	damaged := &Response{Type: resourcetype.Clusters, Nonce: "\xff"}
	if _, err := damaged.Proto(); err == nil {
		t.Error("a nonce that is no text is read")
	}
}

func TestCertificateOfAResponse(t *testing.T) {
	c := newConversation(t)
	c.set(resourcetype.Secrets, "other", "1", "o")
	c.set(resourcetype.Secrets, envoy.ServiceCertName, "2", "v")
	c.put(resourcetype.Clusters, envoy.ServiceCertName, "3")
	for name, test := range map[string]struct {
		response Response
		want     string
	}{
		"both":      {Response{Type: resourcetype.Secrets, Resources: versionedOf(c, resourcetype.Secrets, "other", envoy.ServiceCertName)}, "v"},
		"the other": {Response{Type: resourcetype.Secrets, Resources: versionedOf(c, resourcetype.Secrets, "other")}, ""},
		"clusters":  {Response{Type: resourcetype.Clusters, Resources: versionedOf(c, resourcetype.Clusters, envoy.ServiceCertName)}, ""},
	} {
		if got := test.response.certificateVersion(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestMetrics checks what responses and requests count.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	r := &Response{Type: resourcetype.Clusters, Resources: versionedOf(c, resourcetype.Clusters, "c")}
	m.countResponse(r, nil)
	m.countResponse(r, errors.New("closed"))
	m.countDestinations(destinationCounts{refused: 2, unanswerable: 3, withdrawn: 5})
	m.countRequest(requestResult{Type: resourcetype.Clusters, IsReconnect: true}, 4)
	m.countRequest(requestResult{Type: resourcetype.Clusters, IsAnswer: true, Latency: time.Second}, 0)
	m.countRequest(requestResult{Type: resourcetype.Clusters, IsAnswer: true, Message: "no", Latency: 2 * time.Second}, 0)
	got := map[string]float64{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			key := strings.TrimPrefix(family.GetName(), "osm_proxy_")
			for _, label := range metric.GetLabel() {
				key += " " + label.GetValue()
			}
			got[key] = metric.GetCounter().GetValue() + metric.GetHistogram().GetSampleSum()
		}
	}
	want := map[string]float64{
		"response_send_success_count CDS": 1, "response_bytes_total CDS": float64(r.contentSize()), "response_send_error_count CDS": 1, "xds_request_count CDS": 3,
		"response_rejected_count CDS": 1, "reconnect_count": 1, "foreign_secret_request_count": 4, "refused_destination_count": 2, "unknown_destination_count": 3,
		"withdrawn_destination_count": 5,
		"config_update_time CDS true": 1, "config_update_time CDS false": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if problems, err := testutil.GatherAndLint(registry, "osm_proxy_response_bytes_total"); len(problems) > 0 || err != nil {
		t.Errorf("%v, %v", problems, err)
	}
}

// TestLimitsOfRequests checks the largest requests that a client can send.
func TestLimitsOfRequests(t *testing.T) {
	long, tooLong := strings.Repeat("x", maxNameLength), strings.Repeat("x", maxNameLength+1)
	many := func(n int, prefix string) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint(prefix, i))
		}
		return names
	}
	versions := func(name, version string) map[string]string { return map[string]string{name: version} }
	for name, test := range map[string]struct {
		request *discovery.DeltaDiscoveryRequest
		want    bool
	}{
		"long texts":                {&discovery.DeltaDiscoveryRequest{ResponseNonce: long[:maxNonceLength], ResourceNamesSubscribe: []string{long}, ResourceNamesUnsubscribe: []string{long}, InitialResourceVersions: versions(long, long)}, true},
		"too long a nonce":          {&discovery.DeltaDiscoveryRequest{ResponseNonce: long[:maxNonceLength+1]}, false},
		"too long a subscription":   {&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{tooLong}}, false},
		"too long an end of one":    {&discovery.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{tooLong}}, false},
		"too long a name":           {&discovery.DeltaDiscoveryRequest{InitialResourceVersions: versions(tooLong, "1")}, false},
		"too long a version":        {&discovery.DeltaDiscoveryRequest{InitialResourceVersions: versions("a", tooLong)}, false},
		"many names":                {&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: many(MaxNames-2, ""), ResourceNamesUnsubscribe: []string{"a"}, InitialResourceVersions: versions("a", "1")}, true},
		"too many names":            {&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: many(MaxNames-1, ""), ResourceNamesUnsubscribe: []string{"a"}, InitialResourceVersions: versions("a", "1")}, false},
		"many names of connections": {&discovery.DeltaDiscoveryRequest{ResourceNamesSubscribe: many(MaxNames+1, "on-demand|")}, true},
	} {
		if err := checkLimits(resourcetype.Clusters, test.request); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
