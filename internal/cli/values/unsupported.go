package values

// unsupportedValue is a chart value, or a group of values, without an equivalent field.
type unsupportedValue struct {
	prefix string
	// instead is the alternative.
	instead string
	// harmless lists values that match the default, so they have no effect.
	harmless []string
}

var unsupportedValues = []unsupportedValue{
	{"osm.image", "images are determined by spec.version of the Mesh; for a mirror, set the RELATED_IMAGE variables of the operator's Deployment, or spec.controlPlane.images of the Mesh", nil},
	{"osm.imagePullSecrets", "set spec.controlPlane.imagePullSecrets of the Mesh", nil},
	{"osm.curlImage", "this image is not used", nil},
	{"osm.osmController.autoScale", "set spec.controlPlane.controller.autoscaling of the Mesh", []string{"false"}},
	{"osm.injector.autoScale", "set spec.controlPlane.injector.autoscaling of the Mesh", []string{"false"}},
	{"osm.osmController.enablePodDisruptionBudget", "the Deployments always have a PodDisruptionBudget", []string{"true"}},
	{"osm.injector.enablePodDisruptionBudget", "the Deployments always have a PodDisruptionBudget", []string{"true"}},
	{"osm.osmController.podLabels", "set spec.controlPlane.controller.labels of the Mesh", nil},
	{"osm.injector.podLabels", "set spec.controlPlane.injector.labels of the Mesh", nil},
	{"osm.osmController.nodeSelector", "set spec.controlPlane.nodeSelector of the Mesh", nil},
	{"osm.injector.nodeSelector", "set spec.controlPlane.nodeSelector of the Mesh", nil},
	{"osm.osmController.affinity", "set spec.controlPlane.affinity of the Mesh", nil},
	{"osm.injector.affinity", "set spec.controlPlane.affinity of the Mesh", nil},
	{"osm.osmController.tolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.injector.tolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.injector.webhookTimeoutSeconds", "the timeout of the webhook is always 20 seconds", []string{"20"}},
	{"osm.osmController", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.injector", "not supported: see spec.controlPlane of the Mesh for the supported fields", nil},
	{"osm.osmBootstrap", "there is no osm-bootstrap: the operator replaces it", nil},
	{"osm.controlPlaneTolerations", "set spec.controlPlane.tolerations of the Mesh", nil},
	{"osm.preinstall", "there is no preinstall job: use `osm check --pre-install`", nil},
	{"osm.cleanup", "there is no cleanup job: the operator removes all resources", nil},
	{"osm.enforceSingleMesh", "use --enforce-single-mesh", nil},
	{"osm.caBundleSecretName", "the Secret is always named osm-ca-bundle", []string{"osm-ca-bundle"}},
	{"osm.webhookConfigNamePrefix", "the webhook is always named osm-webhook-<mesh>", []string{"osm-webhook"}},
	{"osm.validatorWebhook", "the webhook is always named osm-validator-mesh-<mesh>", []string{""}},
	{"osm.enableReconciler", "the operator always corrects drift", []string{"true"}},
	{"osm.enableFluentbit", "Fluent Bit is not deployed: logs are written to standard output", []string{"false"}},
	{"osm.prometheus.port", "the port of Prometheus is always 7070", []string{"7070"}},
	{"osm.prometheus", "set spec.observability.prometheus.managed in the Mesh", nil},
	{"osm.grafana.port", "the port of Grafana is always 3000", []string{"3000"}},
	{"osm.grafana", "set spec.observability.grafana.managed in the Mesh", nil},
	{"osm.fluentBit", "Fluent Bit is not deployed: logs are written to standard output", nil},
	{"osm.multicluster", "multicluster meshes are not supported", []string{"false"}},
	{"osm.featureFlags.enableMulticlusterMode", "multicluster meshes are not supported", []string{"false"}},
	{"osm.featureFlags.enableMeshRootCertificate", "MeshRootCertificates always have an effect", []string{"true"}},
	{"smi.validateTrafficTarget", "TrafficTargets are always validated", []string{"true"}},
	{"contour.enabled", "Contour is not deployed: install your own", []string{"false"}},
	{"contour", "Contour is not deployed: install your own", nil},
}
