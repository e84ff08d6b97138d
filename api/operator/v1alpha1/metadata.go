package v1alpha1

// Labels are labels of objects or nodes. Each key is an optional DNS name and a slash before a name; a name and a value have at most 63 letters,
// digits, dashes, underscores and dots.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule="self.all(key, key.size() <= 317 && key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="a key is not that of a label: write for example team or example.com/team"
type Labels map[string]LabelValue

// LabelValue is the value of a label.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
type LabelValue string

// Map returns the labels in the type of Kubernetes.
func (l Labels) Map() map[string]string {
	if l == nil {
		return nil
	}
	labels := make(map[string]string, len(l))
	for key, value := range l {
		labels[key] = string(value)
	}
	return labels
}

// Annotations are annotations of objects. Keys are like those of labels, and values are any text.
//
// +kubebuilder:validation:MaxProperties=32
// +kubebuilder:validation:XValidation:rule="self.all(key, key.size() <= 317 && key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))",message="a key is not that of an annotation: write for example note or example.com/note"
type Annotations map[string]string
