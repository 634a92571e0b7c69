// SPDX-License-Identifier: Apache-2.0

package plot

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// The sizes are pixels.
const (
	width, height            = 720, 420
	left, right, top, bottom = 76, 24, 78, 56
	legendRow                = 52
	// letter is about what one takes in the legend.
	letter = 7.2
)

// style has colours for light and dark pages; the chart brings its own background,
// because a page does not tell an image which it is. The colours differ in
// brightness too.
const style = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.page { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.spread { stroke-width: 1.2 }
.reference { stroke-dasharray: 6 4 }
.s0 { stroke: #0550ae } .f0 { fill: #0550ae }
.s1 { stroke: #bc4c00 } .f1 { fill: #bc4c00 }
.s2 { stroke: #1a7f37 } .f2 { fill: #1a7f37 }
.s3 { stroke: #8250df } .f3 { fill: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117 }
.grid { stroke: #30363d }
.s0 { stroke: #79c0ff } .f0 { fill: #79c0ff }
.s1 { stroke: #ffa657 } .f1 { fill: #ffa657 }
.s2 { stroke: #56d364 } .f2 { fill: #56d364 }
.s3 { stroke: #d2a8ff } .f3 { fill: #d2a8ff }
}
</style>
`

// colours of the style.
const colours = 4

// SVG draws the chart. A chart without a point is an empty frame.
func (c *Chart) SVG() []byte {
	d := &drawing{chart: c}
	xs, ys := c.bounds()
	if xs.to < xs.from {
		xs, ys = span{1, 1}, span{1, 1}
	}
	d.x = newScale(c.X, xs, left, width-right)
	d.y = newScale(c.Y, ys, height-bottom, top)
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(c.Title))
	d.out.WriteString(style)
	d.printf(`<rect class="page" width="%d" height="%d"/>`+"\n", width, height)
	d.axes()
	d.legend()
	for i := range c.Lines {
		d.line(i)
	}
	d.out.WriteString("</svg>\n")
	return d.out.Bytes()
}

type drawing struct {
	chart *Chart
	x, y  scale
	out   bytes.Buffer
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.out, format, args...) }

func (d *drawing) text(x, y float64, class, anchor, text string) {
	d.printf(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, html.EscapeString(text))
}

// axes are the title, the grid, and what its lines stand for.
func (d *drawing) axes() {
	d.text(left, 26, "title", "start", d.chart.Title)
	for _, v := range d.x.marks {
		d.printf(`<path class="grid" d="M%.1f %d V%d"/>`+"\n", d.x.at(v), height-bottom, top)
		d.text(d.x.at(v), height-bottom+18, "mark", "middle", label(v))
	}
	for _, v := range d.y.marks {
		d.printf(`<path class="grid" d="M%d %.1f H%d"/>`+"\n", left, d.y.at(v), width-right)
		d.text(left-8, d.y.at(v)+4, "mark", "end", label(v))
	}
	d.text((left+width-right)/2, height-14, "axis", "middle", d.chart.X.Title)
	d.printf(`<text transform="translate(18 %d) rotate(-90)" class="axis" text-anchor="middle">%s</text>`+"\n",
		(top+height-bottom)/2, html.EscapeString(d.chart.Y.Title))
}

// legend names the lines in one row.
func (d *drawing) legend() {
	x := float64(left)
	for i, l := range d.chart.Lines {
		d.printf(`<path class="line %s" d="M%.1f %d h26"/>`+"\n", classes(i, l), x, legendRow)
		d.text(x+32, legendRow+4, "name", "start", l.Name)
		x += 32 + letter*float64(len([]rune(l.Name))) + 24
	}
}

func (d *drawing) line(i int) {
	l := d.chart.Lines[i]
	var path []string
	for n, p := range l.Points {
		command := "L"
		if n == 0 {
			command = "M"
		}
		path = append(path, fmt.Sprintf("%s%.1f %.1f", command, d.x.at(p.X), d.y.at(p.Y)))
	}
	d.printf(`<path class="line %s" d="%s"/>`+"\n", classes(i, l), strings.Join(path, " "))
	if len(l.Points) > mostDots {
		return
	}
	for _, p := range l.Points {
		if p.High > 0 {
			d.printf(`<path class="spread s%d" d="M%.1f %.1f V%.1f"/>`+"\n", i%colours, d.x.at(p.X), d.y.at(p.Low), d.y.at(p.High))
		}
		d.printf(`<circle class="f%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", i%colours, d.x.at(p.X), d.y.at(p.Y))
	}
}

// mostDots is how many points a line shows one by one; more are a curve.
const mostDots = 12

func classes(i int, l Line) string {
	class := fmt.Sprintf("s%d", i%colours)
	if l.Reference {
		class += " reference"
	}
	return class
}
