package values

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// setManaged sets the mode of a component: true runs it, and false ends that. False is also the default.
func setManaged[M ~string](mode **M, managed, off M, value bool) {
	*mode = &off
	if value {
		*mode = &managed
	}
}

func deployPrometheus(d *Declaration, v bool) {
	setManaged(&d.prometheus().Mode, v1alpha1.PrometheusManaged, v1alpha1.PrometheusDisabled, v)
}

func deployGrafana(d *Declaration, v bool) {
	setManaged(&ensure(&d.observability().Grafana).Mode, v1alpha1.GrafanaManaged, v1alpha1.GrafanaDisabled, v)
}

// deployJaeger sets the mode of Jaeger. As in OSM, traces are sent with osm.tracing.enable.
func deployJaeger(d *Declaration, v bool) {
	setManaged(&ensure(&d.observability().Jaeger).Mode, v1alpha1.JaegerManaged, v1alpha1.JaegerDisabled, v)
}

// prometheusRetention accepts days, as Prometheus and OSM's default of 15d do.
func prometheusRetention(d *Declaration, text string) error {
	value, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var number int64
		number, err = strconv.ParseInt(days, 10, 32)
		value = time.Duration(number) * 24 * time.Hour
	}
	if err != nil || value <= 0 {
		return fmt.Errorf("must be a duration, such as 15d or 360h")
	}
	d.managedPrometheus().Retention = ptr.To(v1alpha1.NewDuration(value))
	return nil
}

func (d *Declaration) observability() *v1alpha1.ObservabilitySpec {
	return ensure(&d.Mesh.Spec.Observability)
}

func (d *Declaration) prometheus() *v1alpha1.PrometheusComponent {
	return ensure(&d.observability().Prometheus)
}

func (d *Declaration) managedPrometheus() *v1alpha1.ManagedPrometheus {
	return ensure(&d.prometheus().Managed)
}
