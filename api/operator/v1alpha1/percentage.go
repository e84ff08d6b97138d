package v1alpha1

import (
	"strconv"
	"strings"
)

// Percentage is a share of a hundred with a percent sign and at most four decimals, such as 1% or 0.5%. A setting that may also be a number has
// the type IntOrString, and a field of an autoscaler an integer, as in Kubernetes.
//
// +kubebuilder:validation:MaxLength=8
// +kubebuilder:validation:Pattern=`^(100|[0-9]{1,2}([.][0-9]{1,4})?)%$`
// +kubebuilder:validation:XValidation:rule="self.matches('^(100|[0-9]{1,2}([.][0-9]{1,4})?)%$')",message="write a number from 0 to 100 with a percent sign, for example 1% or 0.5%"
type Percentage string

// NewPercentage returns a part of one as a percentage with four decimals: 0.5000% for 0.005.
func NewPercentage(share float64) Percentage {
	return Percentage(strconv.FormatFloat(100*share, 'f', 4, 64) + "%")
}

// Share returns the percentage as a part of one: 0.005 for 0.5%. It is 0 for a text that the API server does not accept.
func (p Percentage) Share() float64 {
	value, err := strconv.ParseFloat(p.Number(), 64)
	if err != nil {
		return 0
	}
	return value / 100
}

// Number returns the percentage without its sign: 0.5 for 0.5%.
func (p Percentage) Number() string { return strings.TrimSuffix(string(p), "%") }
