package names

// OldestKubernetes is the oldest supported version of Kubernetes. It is the first one with the stable ValidatingAdmissionPolicy
// API. Native sidecars, which exist since 1.29, are required too.
const OldestKubernetes = "1.30.0"
