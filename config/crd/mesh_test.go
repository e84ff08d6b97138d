package crd_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// mesh returns a Mesh in YAML. The spec is one line in flow style.
func mesh(name, spec string) string {
	return "{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: " + name + "}, spec: " + spec + "}"
}

// controller returns a Mesh with a configuration of the controller in YAML.
func controller(text string) string { return mesh("osm", "{controlPlane: {controller: "+text+"}}") }

const completeMesh = `
  namespace: osm-system
  version: v0.1.0
  mode: Apply
  controlPlane:
    logLevel: debug
    webhookClientCABundle: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    controller:
      resources: {requests: {cpu: 100m}}
      autoscaling: {minReplicas: 3, maxReplicas: 9, targetCPUUtilizationPercentage: 60}
      labels: {team: mesh}
      annotations: {example.com/note: a}
      overlay: {spec: {containers: [{name: osm-controller, env: [{name: A, value: a}]}]}}
    injector: {replicas: 4}
    images: {controller: "example.com/controller:v1", injector: "example.com/injector:v1", init: "example.com/init:v1"}
    imagePullSecrets: [{name: registry}]
    priorityClassName: mesh-critical
    nodeSelector: {example.com/pool: infrastructure}
    tolerations: [{key: example.com/infrastructure, operator: Exists, effect: NoSchedule}]
    affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname}]}}
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
  sidecar: {image: "example.com/envoy:v1", logLevel: "off", statistics: All, destinations: Auto, sourceAddresses: Own, classes: [{name: small, namespaceSelector: {matchLabels: {team: shop}}, resources: {requests: {memory: 32Mi}}, concurrency: 1, drainTimeout: 10m}], drainTimeout: 10m, resources: {limits: {memory: 64Mi}}}
  traffic: {permissive: false, egress: true}
  observability:
    prometheus:
      mode: Managed
      managed: {image: "example.com/prometheus:v3", retention: 48h, storage: 10Gi, storageClassName: fast, nodeSelector: {pool: infra}, tolerations: [{key: infra}], affinity: {nodeAffinity: {}}, priorityClassName: infra, imagePullSecrets: [{name: registry}], resources: {limits: {memory: 1Gi}}}
    grafana: {mode: Managed, managed: {image: "example.com/grafana:v12", nodeSelector: {pool: infra}, tolerations: [{key: infra}], affinity: {nodeAffinity: {}}, priorityClassName: infra, imagePullSecrets: [{name: registry}], resources: {limits: {memory: 256Mi}}}}
    jaeger:
      mode: Managed
      managed: {image: "example.com/jaeger:2", nodeSelector: {pool: infra}, tolerations: [{key: infra}], affinity: {nodeAffinity: {}}, priorityClassName: infra, imagePullSecrets: [{name: registry}], storageSecretRef: {name: storage, key: backend.yaml}, resources: {limits: {memory: 1Gi}}}
    accessLog: {sampling: 10%}
    tracing: {enabled: true, protocol: OTLP, sampling: 0.5%}
    trafficMetrics: {mode: Managed, managed: {image: "example.com/traffic-metrics:v1", nodeSelector: {pool: infra}, tolerations: [{key: infra}], affinity: {nodeAffinity: {}}, priorityClassName: infra, imagePullSecrets: [{name: registry}], resources: {limits: {memory: 256Mi}}}}
  certificates: {trustDomain: mesh.example.com, serviceCertificateDuration: 1h30m, key: {algorithm: RSA, size: 3072}, rotateRoot: 2026-11, rotateWithout: [legacy], rotateWithoutPeers: [east]}
  ingressGateway:
    mode: Managed
    autoscaling: {minReplicas: 3, maxReplicas: 9, targetCPUUtilizationPercentage: 60}
    service:
      type: LoadBalancer
      annotations: {service.beta.kubernetes.io/aws-load-balancer-type: external}
      labels: {team: edge}
      loadBalancerClass: service.k8s.aws/nlb
      externalTrafficPolicy: Cluster
      loadBalancerSourceRanges: [192.0.2.0/24, "2001:db8::/32"]
      nodePorts: [{port: 443, nodePort: 30443}]
    ports: [80, 443, 8443]
    allowedNamespaces: [infra, shop]
    nodeSelector: {pool: edge}
    tolerations: [{key: example.com/edge, operator: Exists, effect: NoSchedule}]
    affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname}]}}
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
    priorityClassName: edge
    imagePullSecrets: [{name: registry}]
    resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
    overlay: {metadata: {annotations: {a: b}}}
  egressGateway:
    mode: Managed
    replicas: 3
    nodeSelector: {pool: outgoing}
    tolerations: [{key: example.com/outgoing, operator: Exists, effect: NoSchedule}]
    affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname}]}}
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]
    priorityClassName: outgoing
    imagePullSecrets: [{name: registry}]
    resources: {limits: {memory: 1Gi}}
  peerGateway:
    mode: Managed
    autoscaling: {maxReplicas: 3}
    drainDelay: 1m
    image: example.com/envoy:v1
    service: {type: LoadBalancer, loadBalancerSourceRanges: [192.0.2.0/24], loadBalancerClass: a, annotations: {a: b}, labels: {a: b}, externalTrafficPolicy: Local, nodePort: 30443}
`

func testMesh(t *testing.T, c client.Client) {
	const head = "apiVersion: operator.openservicemesh.io/v1alpha1\nkind: Mesh\nmetadata: {name: osm}\n"
	checkCreations(t, c, []creation{
		{"without a spec", head, ""},
		{"with an empty spec", mesh("osm", "{}"), ""},
		{"with every field", head + "spec:" + completeMesh, ""},
		{"with an unknown field", mesh("osm", "{colour: green}"), `unknown field "spec.colour"`},
		{"mode Plan", mesh("osm", "{mode: Plan}"), ""},
		{"with an unknown mode", mesh("osm", "{mode: plan}"), `Unsupported value: "plan": supported values: "Apply", "Plan"`},
		{"longest name", mesh(strings.Repeat("m", 53), "{}"), ""},
		{"name too long", mesh(strings.Repeat("m", 54), "{}"), "cannot name a mesh: it is the value of the namespace label openservicemesh.io/monitored-by"},
		{"name with a dot", mesh("my.mesh", "{}"), `metadata.name "my.mesh" cannot name a mesh`},
		{"invalid namespace", mesh("osm", "{namespace: OSM}"), `spec.namespace "OSM" is not a namespace name: use lowercase letters, digits and dashes`},
		{"namespace of Kubernetes", mesh("osm", "{namespace: kube-system}"), "spec.namespace kube-system belongs to Kubernetes: give the mesh a namespace of its own"},
		{"version with a suffix", mesh("osm", "{version: v0.2.0-rc.1}"), ""},
		{"version without the v", mesh("osm", "{version: 0.1.0}"), `spec.version "0.1.0" is not a version: write v and three numbers, for example v0.1.0`},
		{"an authority without PEM", mesh("osm", "{controlPlane: {webhookClientCABundle: authority}}"), `spec.controlPlane.webhookClientCABundle: Invalid value: "authority": write certificates as PEM text, with -----BEGIN CERTIFICATE-----`},
		{"no replicas", mesh("osm", "{controlPlane: {injector: {replicas: 0}}}"), "should be greater than or equal to 1"},
		{"replicas and autoscaling", controller("{replicas: 2, autoscaling: {maxReplicas: 3}}"), "spec.controlPlane.controller: Invalid value: replicas and autoscaling exclude each other"},
		{"replicas of both at once", mesh("osm", "{controlPlane: {replicas: 2}}"), `unknown field "spec.controlPlane.replicas"`},
		{"smallest maxReplicas", controller("{autoscaling: {maxReplicas: 2}}"), ""},
		{"maxReplicas below the default of minReplicas", controller("{autoscaling: {maxReplicas: 1}}"), "maxReplicas 1 is less than minReplicas 2: raise maxReplicas or lower minReplicas"},
		{"maxReplicas below minReplicas", controller("{autoscaling: {minReplicas: 5, maxReplicas: 4}}"), "maxReplicas 4 is less than minReplicas 5"},
		{"autoscaling without maxReplicas", controller("{autoscaling: {}}"), "spec.controlPlane.controller.autoscaling.maxReplicas: Required value"},
		{"autoscaling without a CPU request", controller("{autoscaling: {maxReplicas: 3}, resources: {requests: {memory: 64Mi}}}"), "set resources.requests.cpu, or remove resources"},
		{"resources of both at once", mesh("osm", "{controlPlane: {resources: {requests: {memory: 64Mi}}}}"), `unknown field "spec.controlPlane.resources"`},
		{"a CPU limit implies a CPU request", controller("{autoscaling: {maxReplicas: 3}, resources: {limits: {cpu: 1}}}"), ""},
		{"the same pull secret twice", mesh("osm", "{controlPlane: {imagePullSecrets: [{name: a}, {name: a}]}}"), "Duplicate value"},
		{"an image without a name", mesh("osm", "{controlPlane: {images: {controller: ''}}}"), "spec.controlPlane.images.controller"},
		{"a Grafana without a Prometheus", mesh("osm", "{observability: {grafana: {mode: Managed}}}"), "set spec.observability.prometheus.mode to Managed"},
		{"settings of a Grafana that nobody runs", mesh("osm", "{observability: {grafana: {managed: {image: x}}}}"), "set mode to Managed"},
		{"an instance selector without a grafana-operator", mesh("osm", "{observability: {grafana: {mode: ConfigMaps, instanceSelector: {}}}}"), "set mode to Operator"},
		{"traffic metrics without a Prometheus", mesh("osm", "{observability: {trafficMetrics: {mode: Managed}}}"), "set spec.observability.prometheus.mode to Managed"},
		{"settings of a server of traffic metrics that nobody runs", mesh("osm", "{observability: {trafficMetrics: {managed: {image: x}}}}"), "set mode to Managed"},
		{"an existing Prometheus without an address", mesh("osm", "{observability: {prometheus: {mode: Existing}}}"), "set spec.observability.prometheus.address"},
		{"the address of a managed Prometheus", mesh("osm", "{observability: {prometheus: {mode: Managed, address: 'http://p:9090'}}}"), "set mode to Existing or Operator"},
		{"an address with a password", mesh("osm", "{observability: {prometheus: {mode: Existing, address: 'http://u:p@p:9090'}}}"), "is not the address of a Prometheus server"},
		{"settings of a server that nobody runs", mesh("osm", "{observability: {prometheus: {managed: {image: x}}}}"), "set mode to Managed"},
		{"an unknown retention", mesh("osm", "{observability: {prometheus: {mode: Managed, managed: {retention: 15d}}}}"), "write numbers with the units h, m, s and ms"},
		{"settings of a Jaeger that nobody runs", mesh("osm", "{observability: {jaeger: {managed: {image: x}}}}"), "spec.observability.jaeger.managed has no effect: set mode to Managed"},
		{"traces in memory", mesh("osm", "{observability: {jaeger: {mode: Managed, managed: {maxTraces: 5}}}}"), ""},
		{"traces in memory and in a storage", mesh("osm", "{observability: {jaeger: {mode: Managed, managed: {maxTraces: 5, storageSecretRef: {name: a, key: b}}}}}"), "maxTraces is about traces in memory"},
		{"settings of an ingress gateway that nobody runs", mesh("osm", "{ingressGateway: {replicas: 3}}"), "spec.ingressGateway has no effect: set mode to Managed"},
		{"settings of an egress gateway that nobody runs", mesh("osm", "{egressGateway: {nodeSelector: {pool: outgoing}}}"), "spec.egressGateway has no effect: set mode to Managed"},
		{"an invalid toleration of a gateway", mesh("osm", "{egressGateway: {mode: Managed, tolerations: [{key: 1}]}}"), "spec.egressGateway.tolerations[0].key: Invalid value"},
		{"an affinity term without a topology key", mesh("osm", "{ingressGateway: {mode: Managed, affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{}]}}}}"), "topologyKey: Required value"},
		{"a namespace that is no name", mesh("osm", "{ingressGateway: {mode: Managed, allowedNamespaces: ['a,b']}}"), "spec.ingressGateway.allowedNamespaces[0] in body should match"},
		{"a namespace of an egress gateway that is no name", mesh("osm", "{egressGateway: {mode: Managed, allowedNamespaces: ['*']}}"), "spec.egressGateway.allowedNamespaces[0] in body should match"},
		{"namespaces of an egress gateway", mesh("osm", "{egressGateway: {mode: Managed, allowedNamespaces: [default]}}"), ""},
		{"a listener port of Envoy", mesh("osm", "{ingressGateway: {mode: Managed, ports: [15003]}}"), "contains a port from 15000 to 15999, which belong to Envoy"},
		{"ports that share one of the pods", mesh("osm", "{ingressGateway: {mode: Managed, ports: [80, 10080]}}"), "which the pods use for it: remove one of them"},
		{"a Jaeger of others", mesh("osm", "{observability: {jaeger: {mode: Existing}}}"), `Unsupported value: "Existing": supported values: "Disabled", "Managed"`},
		{"an unknown protocol of traces", mesh("osm", "{observability: {tracing: {protocol: Thrift}}}"), `Unsupported value: "Thrift"`},
		{"sampling above all", mesh("osm", "{observability: {tracing: {sampling: 101%}}}"), "write a number from 0 to 100 with a percent sign"},
		{"unknown source addresses", mesh("osm", "{sidecar: {sourceAddresses: Node}}"), `Unsupported value: "Node"`},
		{"a class that drains for a moment", mesh("osm", "{sidecar: {classes: [{name: small, drainTimeout: 5s}]}}"), `drainTimeout is 5s: use 1m or more`},
		{"a class without worker threads", mesh("osm", "{sidecar: {classes: [{name: small, concurrency: 0}]}}"), `should be greater than or equal to 1`},
		{"a class with a name that is no label", mesh("osm", "{sidecar: {classes: [{name: Small}]}}"), `should match`},
		{"unknown statistics", mesh("osm", "{sidecar: {statistics: Some}}"), `Unsupported value: "Some"`},
		{"unknown destinations", mesh("osm", "{sidecar: {destinations: Lazy}}"), `Unsupported value: "Lazy"`},
		{"unknown log level", mesh("osm", "{controlPlane: {logLevel: loud}}"), `Unsupported value: "loud"`},
		{"invalid trust domain", mesh("osm", "{certificates: {trustDomain: Cluster.Local}}"), `"Cluster.Local" is not a trust domain: write a lowercase DNS name`},
		{"requested certificates", mesh("osm", "{certificates: {provider: CertManager, issuerRef: {name: a}, workloadIssuance: CertificateRequest}}"), ""},
		{"requested certificates without cert-manager", mesh("osm", "{certificates: {workloadIssuance: CertificateRequest}}"), "needs the provider CertManager"},
		{"invalid duration", mesh("osm", "{certificates: {serviceCertificateDuration: 24x}}"), "write numbers with the units h, m, s and ms"},
		{"shortest duration", mesh("osm", "{certificates: {serviceCertificateDuration: 60s}}"), ""},
		{"duration too short", mesh("osm", "{certificates: {serviceCertificateDuration: 59s}}"), "serviceCertificateDuration 59s is too short: certificates must be valid for at least 1m"},
		{"size of the default algorithm", mesh("osm", "{certificates: {key: {size: 384}}}"), ""},
		{"ECDSA with a size of RSA", mesh("osm", "{certificates: {key: {size: 2048}}}"), "size 2048 does not fit the algorithm ECDSA: use 256 or 384 with ECDSA, and 2048, 3072 or 4096 with RSA"},
		{"RSA with a size of ECDSA", mesh("osm", "{certificates: {key: {algorithm: RSA, size: 256}}}"), "size 256 does not fit the algorithm RSA"},
		{"cert-manager with an issuer", mesh("osm", "{certificates: {provider: CertManager, issuerRef: {name: a, kind: ClusterIssuer, group: g.example}}}"), ""},
		{"cert-manager without an issuer", mesh("osm", "{certificates: {provider: CertManager}}"), "spec.certificates.issuerRef and the provider CertManager belong together"},
		{"issuer without cert-manager", mesh("osm", "{certificates: {issuerRef: {name: a}}}"), "spec.certificates.issuerRef and the provider CertManager belong together"},
		{"issuer without a name", mesh("osm", "{certificates: {provider: CertManager, issuerRef: {kind: Issuer}}}"), "spec.certificates.issuerRef.name"},
		{"rotation of an issuer's root", mesh("osm", "{certificates: {provider: CertManager, issuerRef: {name: a}, rotateRoot: b}}"), "replace the root of the issuer instead"},
		{"a Vault with a token", mesh("osm", "{certificates: {provider: Vault, vault: {address: 'https://vault:8200', mount: a/b, tokenSecretRef: {name: a, key: b}}}}"), ""},
		{"a Vault with an account", mesh("osm", "{certificates: {provider: Vault, vault: {address: 'http://vault', caBundle: '-----BEGIN CERTIFICATE-----', kubernetes: {role: a, mount: b}}}}"), ""},
		{"the provider Vault without a Vault", mesh("osm", "{certificates: {provider: Vault}}"), "spec.certificates.vault and the provider Vault belong together"},
		{"a Vault without a login", mesh("osm", "{certificates: {provider: Vault, vault: {address: 'http://vault'}}}"), "needs either tokenSecretRef or kubernetes"},
		{"a Vault without a scheme", mesh("osm", "{certificates: {provider: Vault, vault: {address: vault, kubernetes: {role: a}}}}"), `spec.certificates.vault.address "vault" is not the address of a Vault`},
		{"a Vault with a path", mesh("osm", "{certificates: {provider: Vault, vault: {address: 'http://vault/v1', kubernetes: {role: a}}}}"), "is not the address of a Vault"},
		{"a mount that leaves the PKI", mesh("osm", "{certificates: {provider: Vault, vault: {address: 'http://vault', mount: a/../sys, kubernetes: {role: a}}}}"), "is not the path of a PKI"},
		{"unknown provider", mesh("osm", "{certificates: {provider: Step}}"), `Unsupported value: "Step"`},
		{"root with a space", mesh("osm", "{certificates: {rotateRoot: new root}}"), `spec.certificates.rotateRoot "new root" is not a name for a root: use letters, digits`},
		{"a namespace that cannot exist", mesh("osm", "{certificates: {rotateWithout: [Shop]}}"), `spec.certificates.rotateWithout "Shop" is not the name of a namespace`},
		{"a peer that cannot exist", mesh("osm", "{certificates: {rotateWithoutPeers: [east.example]}}"), `spec.certificates.rotateWithoutPeers "east.example" is not the name of a MeshPeer`},
		{"root without a name", mesh("osm", "{certificates: {rotateRoot: ''}}"), "spec.certificates.rotateRoot"},
		{"unknown algorithm", mesh("osm", "{certificates: {key: {algorithm: Ed25519}}}"), `Unsupported value: "Ed25519"`},
	})
	checkChanges(t, c, []change{
		{"the default namespace becomes explicit", mesh("osm", "{}"), map[string]any{"spec.namespace": "osm-system"}, ""},
		{"the spec is removed and the namespace was the default", mesh("osm", "{namespace: osm-system}"), map[string]any{"spec": nil}, ""},
		{"another namespace", mesh("osm", "{}"), map[string]any{"spec.namespace": "mesh"}, "spec.namespace cannot change, this mesh runs in osm-system: delete the Mesh and create it again to move it"},
		{"the namespace is removed", mesh("osm", "{namespace: mesh}"), map[string]any{"spec.namespace": nil}, "spec.namespace cannot change, this mesh runs in mesh"},
		{"the default trust domain becomes explicit", mesh("osm", "{}"), map[string]any{"spec.certificates.trustDomain": "cluster.local"}, ""},
		{"another trust domain", mesh("osm", "{certificates: {trustDomain: a.example}}"), map[string]any{"spec.certificates.trustDomain": "b.example"}, ""},
		{"a trust domain below the present one", mesh("osm", "{certificates: {trustDomain: a.example}}"), map[string]any{"spec.certificates.trustDomain": "b.a.example"}, "spec.certificates.trustDomain cannot change from a.example to b.a.example: one is a subdomain of the other"},
		{"a trust domain above the present one", mesh("osm", "{}"), map[string]any{"spec.certificates.trustDomain": "local"}, "spec.certificates.trustDomain cannot change from cluster.local to local"},
		{"another version", mesh("osm", "{version: v0.1.0}"), map[string]any{"spec.version": "v0.2.0"}, ""},
	})
}

func testMeshRevision(t *testing.T, c client.Client) {
	const revision = `
apiVersion: operator.openservicemesh.io/v1alpha1
kind: MeshRevision
metadata: {name: osm-v0-1-0}
spec:
  mesh: osm
  version: v0.1.0
  namespace: osm-system
  trustDomain: cluster.local
  controlPlane: {controller: {replicas: 2}, injector: {replicas: 2}}
  images: {controller: controller:v1, injector: injector:v1, init: init:v1, sidecar: envoy:v1}
`
	checkCreations(t, c, []creation{
		{"complete", revision, ""},
		{"without images", strings.ReplaceAll(revision, "images:", "#"), "spec.images: Required value"},
	})
	checkChanges(t, c, []change{
		{"more replicas", revision, map[string]any{"spec.controlPlane.controller.replicas": int64(3)}, ""},
		{"another image", revision, map[string]any{"spec.images.sidecar": "envoy:v2"}, ""},
		{"another mesh", revision, map[string]any{"spec.mesh": "b"}, "spec.mesh cannot change: a revision always belongs to the same Mesh"},
		{"another version", revision, map[string]any{"spec.version": "v0.2.0"}, "spec.version cannot change: set spec.version of the Mesh"},
		{"another namespace", revision, map[string]any{"spec.namespace": "b"}, "spec.namespace cannot change"},
		{"another trust domain", revision, map[string]any{"spec.trustDomain": "b"}, "spec.trustDomain cannot change"},
	})
}
