BvariableJ L2ñ¿‚³@ÅZ²?§pM@á%˜À¦~ô¿'ù/@
cÀ