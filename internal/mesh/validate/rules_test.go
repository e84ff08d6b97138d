package validate

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// parse decodes an object from YAML.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

const (
	target = "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: x, namespace: shop}\n"
	group  = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: x, namespace: shop}\n"
	route  = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: x, namespace: shop}\n"
	split  = "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {name: x, namespace: shop}\n"
	policy = "apiVersion: policy.openservicemesh.io/v1alpha1\nmetadata: {name: x, namespace: shop}\n"
	config = "apiVersion: config.openservicemesh.io/v1alpha2\nkind: MeshConfig\nmetadata: {name: osm-mesh-config, namespace: osm-system}\n"

	goodTarget = target + "spec: {destination: {kind: ServiceAccount, name: a, namespace: shop}, sources: [{kind: ServiceAccount, name: b, namespace: c}], rules: [{kind: TCPRoute, name: r}]}"
	badTarget  = target + "spec: {destination: {kind: ServiceAccount, name: a, namespace: bank}, sources: [{kind: ServiceAccount, name: b, namespace: c}], rules: [{kind: TCPRoute, name: r}]}"
	// goodCertificate completes the spec of a MeshConfig.
	goodCertificate = "certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}"
)

func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		// rejections and warnings are parts of the expected messages, in order.
		rejections, warnings []string
	}{
		"good target":         {goodTarget, nil, nil},
		"target elsewhere":    {badTarget, []string{"create it in the namespace of its destination"}, nil},
		"target with nothing": {target + "spec: {destination: {kind: ServiceAccount, name: a, namespace: shop}}", nil, []string{"spec.sources is empty", "spec.rules is empty"}},
		"UDP rule": {
			strings.Replace(goodTarget, "kind: TCPRoute", "kind: UDPRoute", 1),
			nil,
			[]string{"is not enforced, because sidecars do not intercept UDP"},
		},
		"rule of an unknown kind":   {strings.Replace(goodTarget, "kind: TCPRoute", "kind: GRPCRoute", 1), []string{"use HTTPRouteGroup or TCPRoute"}, nil},
		"UDP route":                 {strings.Replace(route, "TCPRoute", "UDPRoute", 1) + "spec: {matches: {ports: [53]}}", nil, []string{"bypasses the mesh"}},
		"retry":                     {policy + "kind: Retry\nspec: {source: {kind: ServiceAccount, name: a, namespace: shop}, destinations: [{kind: Service, name: c, namespace: d}], retryPolicy: {retryOn: oops}}", []string{`"oops", which is not a condition`}, nil},
		"setting of a host outside": {policy + "kind: UpstreamTrafficSetting\nspec: {host: example.com}", nil, []string{"applies only where an Egress names it"}},
		"setting with a bad limit":  {policy + "kind: UpstreamTrafficSetting\nspec: {host: a.shop, rateLimit: {local: {tcp: {connections: 1, unit: day}}}}", []string{"write second, minute or hour"}, nil},
		"backpressure of nothing":   {policy + "kind: Backpressure\nspec: {maxConnections: 1}", []string{"names no Service"}, nil},
		"two bad regexes":           {group + "spec: {matches: [{name: a, pathRegex: '('}, {name: b, headers: [{h: '['}]}]}", []string{`match "a"`, `"h" is rejected`}, nil},
		"a match of many headers": {
			group + "spec: {matches: [{name: a, headers: [{a: x}" + strings.Repeat(", {a: x}", 16) + "]}]}", []string{"has 17 headers, and the match is not used: use at most 16"}, nil,
		},
		"empty group":     {group + "spec: {}", nil, []string{"name at least one match"}},
		"port":            {route + "spec: {matches: {ports: [70000]}}", []string{"write numbers from 1 to 65535"}, nil},
		"weights":         {split + "spec: {service: a, backends: [{service: b, weight: 0}]}", []string{"a weight above 0"}, nil},
		"negative weight": {strings.Replace(split, "v1alpha2", "v1alpha4", 1) + "spec: {service: a, backends: [{service: b, weight: -1}]}", []string{"from 0 to 1000000"}, nil},
		"good config":     {config + "spec: {" + goodCertificate + "}", nil, nil},
		"config of old":   {strings.Replace(config, "v1alpha2", "v1alpha1", 1) + "spec: {" + goodCertificate + "}", nil, nil},
		"config with durations": {
			config + "spec: {sidecar: {configResyncInterval: often}, traffic: {inboundExternalAuthorization: {timeout: -1s}}, certificate: {serviceCertValidityDuration: 1 day, certKeyBitSize: 2048, ingressGateway: {validityDuration: x}}}",
			[]string{`"1 day" is not a duration`, `configResyncInterval "often"`, `timeout "-1s"`, `validityDuration "x"`},
			nil,
		},
		"config with unsupported fields": {
			config + "spec: {featureFlags: {enableMulticlusterMode: true}, " + goodCertificate + "}", nil, []string{"does not act on these fields yet"},
		},
		"config with exclusions": {
			config + "spec: {traffic: {outboundIPRangeExclusionList: [10.0.0.1], outboundIPRangeInclusionList: [10.0.0.0/33], outboundPortExclusionList: [0], inboundPortExclusionList: [80, 65536]}, " + goodCertificate + "}",
			[]string{`ExclusionList has "10.0.0.1"`, `InclusionList has "10.0.0.0/33"`, "outboundPortExclusionList has 0", "inboundPortExclusionList has 65536"},
			nil,
		},
		"config with soft values": {
			config + "spec: {observability: {osmLogLevel: chatty}, certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 1024}}",
			nil,
			[]string{`"chatty" is not a log level`, "certKeyBitSize 1024 is out of range"},
		},
		"config with another name": {strings.Replace(config, "osm-mesh-config", "mine", 1) + "spec: {" + goodCertificate + "}", nil, []string{"this one, mine, has no effect"}},
		"config malformed":         {config + "spec: {traffic: {enableEgress: 5}}", []string{"wrong type"}, nil},
		"kind without rules":       {"apiVersion: v1\nkind: Secret\nmetadata: {name: x}", nil, nil},
		"kind of another group":    {strings.Replace(badTarget, "access.smi-spec.io", "example.com", 1), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rejections, warnings := Split(Object(parse(t, c.object)))
			compare(t, "rejections", c.rejections, rejections)
			compare(t, "warnings", c.warnings, warnings)
		})
	}
}

// compare checks that each message contains its part.
func compare(t *testing.T, what string, parts, messages []string) {
	t.Helper()
	if len(parts) != len(messages) {
		t.Fatalf("%s are %q, want %q", what, messages, parts)
	}
	for i, message := range messages {
		if !strings.Contains(message, parts[i]) || !strings.HasSuffix(message, ".") {
			t.Errorf("%s %d is %q, want a sentence with %q", what, i, message, parts[i])
		}
	}
}
