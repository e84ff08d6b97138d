package report

import (
	"fmt"
	"math"
)

// Line is a straight line through measurements.
type Line struct {
	// At0 is its value at 0, and Slope what each step adds.
	At0, Slope float64
	// Steps are the slopes between each measurement and the next: they tell whether a line is what the measurements lie on.
	Steps []float64
}

// At is the value of the line.
func (l Line) At(x float64) float64 { return l.At0 + l.Slope*x }

// Bend is how far the steps are from the slope, as a share of it: 0 when all measurements lie on the line.
func (l Line) Bend() float64 {
	bend := 0.0
	for _, step := range l.Steps {
		bend = max(bend, math.Abs(step-l.Slope)/math.Abs(l.Slope))
	}
	return bend
}

// Fit is the line with the least squares. The measurements are sorted by x, and at least two of them differ in it.
func Fit(xs, ys []float64) (Line, error) {
	n := float64(len(xs))
	var sumX, sumY, sumXX, sumXY float64
	for i, x := range xs {
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+ys[i], sumXX+x*x, sumXY+x*ys[i]
	}
	spread := n*sumXX - sumX*sumX
	if len(xs) < 2 || spread <= 0 {
		return Line{}, fmt.Errorf("%d measurements of one size make no line: measure at least two sizes", len(xs))
	}
	slope := (n*sumXY - sumX*sumY) / spread
	line := Line{At0: (sumY - slope*sumX) / n, Slope: slope}
	for i := 1; i < len(xs); i++ {
		line.Steps = append(line.Steps, (ys[i]-ys[i-1])/(xs[i]-xs[i-1]))
	}
	return line, nil
}

// LineOf is the line of a metric, over the results of a variant that x gives a size.
func (r *Run) LineOf(variant string, m Metric, x func(Result) (float64, bool)) (Line, error) {
	var xs, ys []float64
	for _, result := range r.Results {
		value, measured := result.Values[m]
		if at, wanted := x(result); wanted && measured && result.Variant == variant {
			xs, ys = append(xs, at), append(ys, value)
		}
	}
	line, err := Fit(xs, ys)
	if err != nil {
		return line, fmt.Errorf("%s of %s: %w", m, variant, err)
	}
	return line, nil
}
