package crd_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// meshConfig returns a MeshConfig in YAML. The spec is one line in flow style.
func meshConfig(spec string) string {
	return "{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: in-mesh}, spec: " + spec + "}"
}

// completeMeshConfig sets every field, including fields that Open Service Mesh does not have.
const completeMeshConfig = `
apiVersion: config.openservicemesh.io/v1alpha2
kind: MeshConfig
metadata: {name: osm-mesh-config, namespace: in-mesh}
spec:
  sidecar:
    enablePrivilegedInitContainer: false
    logLevel: error
    envoyImage: e
    envoyWindowsImage: w
    initContainerImage: i
    maxDataPlaneConnections: 0
    configResyncInterval: 0s
    resources: {limits: {cpu: 1}, requests: {memory: 64Mi}}
    tlsMinProtocolVersion: TLSv1_2
    tlsMaxProtocolVersion: TLSv1_3
    cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]
    ecdhCurves: [P-256]
    localProxyMode: PodIP
    destinations: OnDemand
    sourceAddresses: Own
    classes: [{name: small, namespaceSelector: {matchLabels: {team: shop}}, resources: {requests: {memory: 32Mi}}, concurrency: 1, drainTimeout: 10m}]
  traffic:
    enableEgress: true
    outboundIPRangeExclusionList: [1.2.3.4/32]
    outboundIPRangeInclusionList: [10.0.0.0/8]
    outboundPortExclusionList: [6379]
    inboundPortExclusionList: [5432]
    networkInterfaceExclusionList: [eth1]
    enablePermissiveTrafficPolicyMode: true
    rulesWithoutMatches: None
    inboundExternalAuthorization:
      enable: false
      address: authz.example.com
      port: 9191
      statPrefix: inboundExtAuthz
      timeout: 1s
      failureModeAllow: false
  observability:
    osmLogLevel: info
    enableDebugServer: false
    accessLog: {samplingPercentage: "10"}
    tracing: {enable: false, address: jaeger, port: 9411, endpoint: /api/v2/spans}
  certificate:
    serviceCertValidityDuration: 24h
    certKeyBitSize: 2048
    ingressGateway:
      subjectAltNames: [gateway.ingress.cluster.local]
      validityDuration: 24h
      secret: {name: gateway, namespace: ingress}
  featureFlags:
    enableWASMStats: true
    enableEgressPolicy: true
    enableSnapshotCacheMode: false
    enableAsyncProxyServiceMapping: false
    enableIngressBackendPolicy: true
    enableEnvoyActiveHealthChecks: false
    enableRetryPolicy: false
    enableMulticlusterMode: false
`

func testMeshConfig(t *testing.T, c client.Client) {
	const unit = "is not a duration: write a number with a unit, for example 24h or 90m"
	certificate := func(duration string) string {
		return meshConfig("{certificate: {serviceCertValidityDuration: \"" + duration + "\", certKeyBitSize: 2048}}")
	}
	cases := []creation{
		{"with every field", completeMeshConfig, ""},
		{"with an empty spec", meshConfig("{}"), ""},
		{"with an unknown field", meshConfig("{traffic: {useHTTPSIngress: true}}"), `unknown field "spec.traffic.useHTTPSIngress"`},
		{"log level off", meshConfig(`{sidecar: {logLevel: "off"}}`), ""},
		{"log level off without quotes", meshConfig("{sidecar: {logLevel: off}}"), "spec.sidecar.logLevel"},
		{"unknown TLS version", meshConfig("{sidecar: {tlsMinProtocolVersion: TLSv1_4}}"), `Unsupported value: "TLSv1_4"`},
		{"unknown reading of rules", meshConfig("{traffic: {rulesWithoutMatches: Some}}"), `Unsupported value: "Some"`},
		{"no share of a log", meshConfig(`{observability: {accessLog: {samplingPercentage: "101"}}}`), `spec.observability.accessLog.samplingPercentage "101" is not a percentage`},
		{"two classes of a name", meshConfig(`{sidecar: {classes: [{name: small}, {name: small}]}}`), "two classes of the same name"},
		{"a class with a drain timeout that is no duration", meshConfig(`{sidecar: {classes: [{name: small, drainTimeout: long}]}}`), `drainTimeout "long" is not a duration of at least a minute`},
		{"unknown destinations", meshConfig("{sidecar: {destinations: Lazy}}"), `Unsupported value: "Lazy"`},
		{"unknown proxy mode", meshConfig("{sidecar: {localProxyMode: NodeIP}}"), `Unsupported value: "NodeIP"`},
		{"certificate without key size", meshConfig("{certificate: {serviceCertValidityDuration: 24h}}"), "spec.certificate.certKeyBitSize: Required value"},
		{"certificate without duration", meshConfig("{certificate: {certKeyBitSize: 2048}}"), "spec.certificate.serviceCertValidityDuration: Required value"},
		{"certificate for no time", certificate("0s"), "spec.certificate.serviceCertValidityDuration is 0s, so every certificate would have ended before its first use"},
		{"OTLP", meshConfig("{observability: {tracing: {protocol: OTLP, port: 4317}}}"), ""},
		{"OTLP with a path", meshConfig("{observability: {tracing: {protocol: OTLP, endpoint: /api/v2/spans}}}"), "remove it, and set port to that of OTLP over gRPC, usually 4317"},
		{"an unknown protocol of tracing", meshConfig("{observability: {tracing: {protocol: Thrift}}}"), `Unsupported value: "Thrift": supported values: "Zipkin", "OTLP"`},
		{"port 0 of tracing", meshConfig("{observability: {tracing: {port: 0}}}"), "should be greater than or equal to 1"},
		{"port out of range", meshConfig("{traffic: {outboundPortExclusionList: [65536]}}"), "should be less than or equal to 65535"},
		{"gateway without names", meshConfig("{certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048, ingressGateway: {subjectAltNames: []}}}"), "should have at least 1 items"},
		{"resync that is no duration", meshConfig("{sidecar: {configResyncInterval: often}}"), `spec.sidecar.configResyncInterval "often" ` + unit},
		{"sampling above all", meshConfig("{observability: {tracing: {samplingPercentage: \"100.5\"}}}"), `spec.observability.tracing.samplingPercentage "100.5" is not a percentage`},
		{"sampling without a number", meshConfig("{observability: {tracing: {samplingPercentage: all}}}"), `spec.observability.tracing.samplingPercentage "all" is not a percentage`},
		{"timeout that is no duration", meshConfig("{traffic: {inboundExternalAuthorization: {timeout: 1sec}}}"), `spec.traffic.inboundExternalAuthorization.timeout "1sec" ` + unit},
		{"absent duration written as empty", meshConfig(`{sidecar: {configResyncInterval: ""}}`), ""},
	}
	for _, duration := range []string{"24h", "1h30m", "1.5h", "90m", "300ms", "+5m"} {
		cases = append(cases, creation{"duration " + duration, certificate(duration), ""})
	}
	for _, duration := range []string{"24x", "24", "h", "-1h", "1h 30m", ""} {
		cases = append(cases, creation{"duration " + duration, certificate(duration), fmt.Sprintf("spec.certificate.serviceCertValidityDuration %q %s", duration, unit)})
	}
	for _, field := range []string{"outboundIPRangeExclusionList", "outboundIPRangeInclusionList"} {
		for _, cidr := range []string{"0.0.0.0/0", "255.255.255.255/32", "::/0", "2001:db8::/32", "fd00::1/128"} {
			cases = append(cases, creation{field + " " + cidr, meshConfig("{traffic: {" + field + `: ["` + cidr + `"]}}`), ""})
		}
		for _, cidr := range []string{"10.0.0.1", "10.0.0.0/33", "256.0.0.0/8", "10.0.0/8", "fd00::/129", "example.com/24", ""} {
			rejection := fmt.Sprintf("spec.traffic.%s has %q, which is not an IP range: write an address and a prefix length", field, cidr)
			cases = append(cases, creation{field + " " + cidr, meshConfig("{traffic: {" + field + `: ["` + cidr + `"]}}`), rejection})
		}
	}
	checkCreations(t, c, cases)
}
