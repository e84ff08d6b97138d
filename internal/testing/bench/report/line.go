package report

import (
	"fmt"
	"math"
)

// Line is a straight line fitted to measurements.
type Line struct {
	// At0 is the value at 0, and Slope the increase per unit.
	At0, Slope float64
	// Steps are the slopes between consecutive measurements, which show how well a line fits.
	Steps []float64
}

// At returns the value of the line at x.
func (l Line) At(x float64) float64 { return l.At0 + l.Slope*x }

// Bend returns the largest deviation of the steps from the slope, as a share of the slope.
func (l Line) Bend() float64 {
	bend := 0.0
	for _, step := range l.Steps {
		bend = max(bend, math.Abs(step-l.Slope)/math.Abs(l.Slope))
	}
	return bend
}

// Fit returns the least-squares line. The measurements must be sorted by x, with at least two different values.
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

// LineOf returns the line of a metric over the results of a variant; x returns the size of a result.
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
