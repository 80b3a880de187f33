package strict_test

import (
	"fmt"
	"time"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

func Example() {
	type settings struct {
		Interval time.Duration `yaml:"interval" doc:"time between two checks"`
		Rise     int           `yaml:"rise" doc:"successes in a row that are needed"`
	}
	s := settings{Interval: time.Second, Rise: 2} // the defaults

	doc, err := strict.Parse("check.yaml", []byte("interval: 5\nrice: 3\nrise: 0\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	doc.Decode(&s)
	if s.Rise < 1 {
		doc.Reportf("rise", "expected at least 1, found %d", s.Rise)
	}
	fmt.Println(doc.Err())
	// Output:
	// check.yaml:1:11: interval: expected a duration, found the bare number 5: add a unit, such as 5s
	// check.yaml:2:1: unknown field "rice": did you mean "rise"?
	// check.yaml:3:7: rise: expected at least 1, found 0
}
