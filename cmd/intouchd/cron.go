package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/robfig/cron/v3"
)

// checkCron says what is wrong with a cron expression.
func checkCron(expr string) (err error) {
	defer func() {
		// robfig/cron panics on "TZ=Europe/Moscow" with nothing after it.
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if strings.Contains(expr, "=") {
		return errors.New("the zone is each manager's own, so none may be given")
	}
	_, err = cron.ParseStandard(expr)
	return err
}
