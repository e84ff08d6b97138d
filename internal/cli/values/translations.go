package values

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// translations maps names of chart values to functions that set the equivalent field. Those of feature
// flags have the names of the MeshConfig.
var translations = map[string]func(*Declaration, string) error{
	"osm.meshName":     func(d *Declaration, v string) error { d.Mesh.Name = v; return nil },
	"osm.osmNamespace": func(d *Declaration, v string) error { d.Mesh.Spec.Namespace = &v; return nil },
	"osm.trustDomain":  func(d *Declaration, v string) error { d.certificates().TrustDomain = &v; return nil },

	"osm.enablePermissiveTrafficPolicy": boolean(func(d *Declaration, v bool) { ensure(&d.Mesh.Spec.Traffic).Permissive = &v }),
	"osm.enableEgress":                  boolean(func(d *Declaration, v bool) { ensure(&d.Mesh.Spec.Traffic).Egress = &v }),

	"osm.sidecarImage":       func(d *Declaration, v string) error { ensure(&d.Mesh.Spec.Sidecar).Image = &v; return nil },
	"osm.envoyLogLevel":      func(d *Declaration, v string) error { ensure(&d.Mesh.Spec.Sidecar).LogLevel = &v; return nil },
	"osm.controllerLogLevel": func(d *Declaration, v string) error { d.controlPlane().LogLevel = &v; return nil },

	"osm.osmController.replicaCount": replicas((*Declaration).controller),
	"osm.injector.replicaCount":      replicas((*Declaration).injector),

	"osm.osmController.resource.requests.cpu":    quantity((*Declaration).controller, corev1.ResourceCPU, requests),
	"osm.osmController.resource.requests.memory": quantity((*Declaration).controller, corev1.ResourceMemory, requests),
	"osm.osmController.resource.limits.cpu":      quantity((*Declaration).controller, corev1.ResourceCPU, limits),
	"osm.osmController.resource.limits.memory":   quantity((*Declaration).controller, corev1.ResourceMemory, limits),
	"osm.injector.resource.requests.cpu":         quantity((*Declaration).injector, corev1.ResourceCPU, requests),
	"osm.injector.resource.requests.memory":      quantity((*Declaration).injector, corev1.ResourceMemory, requests),
	"osm.injector.resource.limits.cpu":           quantity((*Declaration).injector, corev1.ResourceCPU, limits),
	"osm.injector.resource.limits.memory":        quantity((*Declaration).injector, corev1.ResourceMemory, limits),

	"osm.certificateProvider.kind": provider,
	"osm.certmanager.issuerName":   func(d *Declaration, v string) error { d.provider.name = &v; return nil },
	"osm.certmanager.issuerKind":   func(d *Declaration, v string) error { d.provider.issuer = &v; return nil },
	"osm.certmanager.issuerGroup":  func(d *Declaration, v string) error { d.provider.group = &v; return nil },

	"osm.vault.host":        func(d *Declaration, v string) error { d.provider.vault.host = &v; return nil },
	"osm.vault.port":        func(d *Declaration, v string) error { d.provider.vault.port = &v; return nil },
	"osm.vault.protocol":    func(d *Declaration, v string) error { d.provider.vault.protocol = &v; return nil },
	"osm.vault.secret.name": func(d *Declaration, v string) error { d.provider.vault.secret = &v; return nil },
	"osm.vault.secret.key":  func(d *Declaration, v string) error { d.provider.vault.key = &v; return nil },
	"osm.vault.role":        vaultRole,

	"osm.certificateProvider.serviceCertValidityDuration": duration,
	"osm.certificateProvider.certKeyBitSize":              keySize,

	"osm.enablePrivilegedInitContainer": config(parseBool, "sidecar", "enablePrivilegedInitContainer"),
	"osm.maxDataPlaneConnections":       config(parseNumber, "sidecar", "maxDataPlaneConnections"),
	"osm.configResyncInterval":          config(parseText, "sidecar", "configResyncInterval"),
	"osm.localProxyMode":                config(parseText, "sidecar", "localProxyMode"),
	"osm.sidecarWindowsImage":           config(parseText, "sidecar", "envoyWindowsImage"),
	"osm.enableDebugServer":             config(parseBool, "observability", "enableDebugServer"),
	"osm.tracing.enable":                config(parseBool, "observability", "tracing", "enable"),
	"osm.tracing.address":               config(parseText, "observability", "tracing", "address"),
	"osm.tracing.port":                  config(parseNumber, "observability", "tracing", "port"),
	"osm.tracing.endpoint":              config(parseText, "observability", "tracing", "endpoint"),

	"osm.deployPrometheus": boolean(deployPrometheus),
	"osm.deployJaeger":     boolean(deployJaeger),
	"osm.tracing.image": func(d *Declaration, v string) error {
		ensure(&ensure(&d.observability().Jaeger).Managed).Image = &v
		return nil
	},
	"osm.deployGrafana":             boolean(deployGrafana),
	"osm.prometheus.image":          func(d *Declaration, v string) error { d.managedPrometheus().Image = &v; return nil },
	"osm.prometheus.retention.time": prometheusRetention,
	"osm.grafana.image": func(d *Declaration, v string) error {
		ensure(&ensure(&d.observability().Grafana).Managed).Image = &v
		return nil
	},

	"osm.outboundIPRangeExclusionList":  config(parseTexts, "traffic", "outboundIPRangeExclusionList"),
	"osm.outboundIPRangeInclusionList":  config(parseTexts, "traffic", "outboundIPRangeInclusionList"),
	"osm.networkInterfaceExclusionList": config(parseTexts, "traffic", "networkInterfaceExclusionList"),
	"osm.outboundPortExclusionList":     config(parseNumbers, "traffic", "outboundPortExclusionList"),
	"osm.inboundPortExclusionList":      config(parseNumbers, "traffic", "inboundPortExclusionList"),
}

// isFeatureFlag reports whether the MeshConfig has a switch of that name.
func isFeatureFlag(name string) bool {
	flags := reflect.TypeFor[configv1alpha2.FeatureFlags]()
	for i := range flags.NumField() {
		if field, _, _ := strings.Cut(flags.Field(i).Tag.Get("json"), ","); field == name {
			return true
		}
	}
	return false
}

func (d *Declaration) controlPlane() *v1alpha1.ControlPlaneSpec {
	return ensure(&d.Mesh.Spec.ControlPlane)
}

func (d *Declaration) controller() *v1alpha1.WorkloadSpec {
	return ensure(&d.controlPlane().Controller)
}

func (d *Declaration) injector() *v1alpha1.WorkloadSpec {
	return ensure(&d.controlPlane().Injector)
}

func (d *Declaration) certificates() *v1alpha1.CertificatesSpec {
	return ensure(&d.Mesh.Spec.Certificates)
}

// ensure returns the value of an optional field, which it creates if it does not exist.
func ensure[T any](field **T) *T {
	if *field == nil {
		*field = new(T)
	}
	return *field
}

func parseBool(text string) (bool, error) {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("must be true or false")
	}
	return value, nil
}

func boolean(set func(*Declaration, bool)) func(*Declaration, string) error {
	return func(d *Declaration, text string) error {
		value, err := parseBool(text)
		if err == nil {
			set(d, value)
		}
		return err
	}
}

// replicas sets the number of replicas of a component.
func replicas(of func(*Declaration) *v1alpha1.WorkloadSpec) func(*Declaration, string) error {
	return func(d *Declaration, text string) error {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil || number < 1 {
			return fmt.Errorf("must be a number of at least 1")
		}
		of(d).Replicas = ptr.To(int32(number))
		return nil
	}
}

func requests(r *corev1.ResourceRequirements) *corev1.ResourceList { return &r.Requests }
func limits(r *corev1.ResourceRequirements) *corev1.ResourceList   { return &r.Limits }

// quantity sets a compute resource of a workload.
func quantity(of func(*Declaration) *v1alpha1.WorkloadSpec, name corev1.ResourceName,
	side func(*corev1.ResourceRequirements) *corev1.ResourceList,
) func(*Declaration, string) error {
	return func(d *Declaration, text string) error {
		amount, err := resource.ParseQuantity(text)
		if err != nil {
			return fmt.Errorf("must be a quantity, such as 500m or 128Mi")
		}
		list := side(ensure(&of(d).Resources))
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = amount
		return nil
	}
}

func duration(d *Declaration, text string) error {
	value, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("must be a duration, such as 24h")
	}
	d.certificates().ServiceCertificateDuration = ptr.To(v1alpha1.NewDuration(value))
	return nil
}

// keySize selects RSA keys, because OSM supports no other algorithm.
func keySize(d *Declaration, text string) error {
	bits, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return fmt.Errorf("must be a number of bits, such as 2048")
	}
	d.certificates().Key = &v1alpha1.KeySpec{Algorithm: ptr.To(v1alpha1.RSA), Size: ptr.To(int32(bits))}
	d.Notes = append(d.Notes, "certKeyBitSize selects RSA keys; the default, ECDSA P-256, needs much less CPU")
	return nil
}

// config sets a field of the MeshConfig to a parsed value.
func config[T any](parse func(string) (T, error), path ...string) func(*Declaration, string) error {
	return func(d *Declaration, text string) error {
		value, err := parse(text)
		if err != nil {
			return err
		}
		if d.MeshConfig == nil {
			d.MeshConfig = map[string]any{}
		}
		return unstructured.SetNestedField(d.MeshConfig, any(value), path...)
	}
}

func parseText(text string) (string, error) { return text, nil }

func parseNumber(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("must be a number")
	}
	return number, nil
}

func parseTexts(text string) ([]any, error) {
	items := []any{}
	for _, item := range list(text) {
		items = append(items, item)
	}
	return items, nil
}

func parseNumbers(text string) ([]any, error) {
	items := []any{}
	for _, item := range list(text) {
		number, err := parseNumber(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("must be a list of numbers, such as {6379,7070}")
		}
		items = append(items, number)
	}
	return items, nil
}
