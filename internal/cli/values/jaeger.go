package values

import "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"

// deployJaeger sets the mode of Jaeger. As in OSM, traces are sent with osm.tracing.enable.
func deployJaeger(d *Declaration, v bool) {
	setManaged(&d.jaeger().Mode, v1alpha1.JaegerManaged, v1alpha1.JaegerDisabled, v)
}

func jaegerImage(d *Declaration, v string) error {
	d.jaeger().Managed = &v1alpha1.ManagedJaeger{Image: &v}
	return nil
}

func (d *Declaration) jaeger() *v1alpha1.JaegerComponent {
	if d.observability().Jaeger == nil {
		d.observability().Jaeger = &v1alpha1.JaegerComponent{}
	}
	return d.observability().Jaeger
}
