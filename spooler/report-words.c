/*
 * report-words.c - what reports and pages say, in English and Simplified Chinese.
 *
 * Owns the words of the report and the workshop page. One process serves readers of both languages
 * and a host may lack either locale, so the words are looked up here and not in the process'
 * locale. Guarantees: a text without a translation is shown in English, never left out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/report.h"

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
static const struct {
	const char *en, *zh;
} pairs[] = {
	{"Failure report", "故障报告"},
	{"Cardspool workshop", "制卡车间"},
	{"Failures", "故障"},
	{"failures", "故障数"},
	{"Cards", "卡片"},
	{"cards made", "制卡数"},
	{"per 1,000 cards", "每千张故障"},
	{"working time between jams", "卡证堵塞平均间隔(工时)"},
	{"median time to clear", "排除用时中位数"},
	{"cards lost", "损失卡片"},
	{"reviews waiting", "待复核"},
	{"still open", "未排除"},
	{"Failures over time", "故障趋势"},
	{"Causes, most frequent first", "故障原因(按次数排列)"},
	{"Failures per 1,000 cards, by machine", "各设备每千张故障数"},
	{"Print heads: share of rated life", "打印头已用额定寿命"},
	{"cleaned / due", "清洁/到期"},
	{"Prepared by", "制表人"},
	{"Checked by", "审核人"},
	{"Time until cleared", "排除用时分布"},
	{"Jams", "堵塞"},
	{"Supplies and handling", "耗材与操作"},
	{"Chip", "芯片"},
	{"Connection and host", "连接与主机"},
	{"under 1 min", "1 分钟内"},
	{"1-5 min", "1-5 分钟"},
	{"5-15 min", "5-15 分钟"},
	{"15-60 min", "15-60 分钟"},
	{"over 1 h", "1 小时以上"},
	{"open", "未排除"},
	{"cumulative share", "累计比例"},
	{"other causes", "其他原因"},
	{"There are no failures in this period.", "本期间内没有故障记录。"},
	{"No cards were made in this period.", "本期间内没有制卡。"},
	{"By machine", "按设备"},
	{"Machine", "设备"},
	{"Serial number", "序列号"},
	{"Between jams", "堵塞间隔"},
	{"no jam", "无堵塞"},
	{"other machines", "其他设备"},
	{"Print heads and cleaning", "打印头与清洁"},
	{"Head: prints", "打印头张数"},
	{"Rated life used", "已用额定寿命"},
	{"Cleaning due", "到期提示次数"},
	{"Cleaned", "清洁次数"},
	{"Last cleaning", "最近清洁"},
	{"Cards since", "此后制卡"},
	{"none in the period", "本期间无记录"},
	{"Ribbon lot", "色带批次"},
	{"Code", "代码"},
	{"found", "查明"},
	{"the oldest of", "最早"},
	{"Cards lost", "损失卡片"},
	{"Between jams: working time of the jobs that began in the period, by the number of jams.", "堵塞间隔:本期间开始的作业的工时除以堵塞次数。"},
	{"Prints are those of this ledger. A head that was replaced is not known to it.", "打印张数以本台账为准;更换打印头的情况不在记录之内。"},
	{"By ribbon lot", "按色带批次"},
	{"Not recorded: the printers do not report it. Enter it with: cardspool ribbon load", "未记录:打印机不报告色带批次。更换色带时请录入:cardspool ribbon load"},
	{"not recorded", "未记录"},
	{"Mean time to clear, by cause", "各原因平均排除用时"},
	{"Cause", "原因"},
	{"Number", "次数"},
	{"Share", "比例"},
	{"Mean time to clear", "平均排除用时"},
	{"Reviews", "复核"},
	{"signed", "已签名"},
	{"waiting for a reviewer", "等待复核"},
	{"overdue", "逾期未复核"},
	{"Records", "记录"},
	{"No.", "编号"},
	{"When", "时间"},
	{"Order, card", "工单、卡号"},
	{"Cause, what was done", "原因与处理"},
	{"Operator", "操作员"},
	{"Reviewed by", "复核人"},
	{"not signed", "未签名"},
	{"Period", "期间"},
	{"All machines", "全部设备"},
	{"Made", "制表时间"},
	{"Ledger", "台账"},
	{"Page", "页"},
	{"cleared after", "排除用时"},
	{"lost", "损失"},
	{"older records are not listed", "条较早记录未列出"},
	{"times are local", "时间为本地时间"},
	{"Kept for three months and until it is reviewed. Holders are masked.", "记录保存三个月且须经复核;持证人信息已隐去。"},
	{"Machines", "设备状态"},
	{"Charts", "图表"},
	{"Batches", "批次进度"},
	{"Sign in", "登录"},
	{"Sign out", "退出"},
	{"Name", "姓名"},
	{"Passphrase", "口令"},
	{"Name or passphrase is wrong.", "姓名或口令错误。"},
	{"Too many wrong passphrases. Wait five minutes.", "口令错误次数过多,请五分钟后再试。"},
	{"Your session ended. Sign in again.", "会话已结束,请重新登录。"},
	{"working", "制卡中"},
	{"stopped", "已停止"},
	{"held", "已暂停"},
	{"idle", "空闲"},
	{"active", "进行中"},
	{"done", "已完成"},
	{"cancelled", "已取消"},
	{"Order", "工单"},
	{"good", "合格"},
	{"rejected", "废卡"},
	{"spoiled", "损坏"},
	{"doubt", "待查"},
	{"of", "/"},
	{"What to do", "处理办法"},
	{"All", "全部"},
	{"State", "状态"},
	{"unreviewed", "待复核"},
	{"reviewed", "已复核"},
	{"cleared", "已排除"},
	{"From", "起"},
	{"To", "止"},
	{"Person", "人员"},
	{"Show", "查询"},
	{"Nothing matches.", "没有符合条件的记录。"},
	{"older ones are not shown; narrow the search", "条较早记录未显示,请缩小范围"},
	{"Record", "记录"},
	{"What happened", "经过"},
	{"recorded", "记录故障"},
	{"noted", "添加备注"},
	{"Card", "卡号"},
	{"Copy", "份"},
	{"Attempt", "第几次"},
	{"Job", "作业"},
	{"Holder", "持证人"},
	{"Step", "工序"},
	{"Station", "工位"},
	{"Printer's reply", "打印机应答"},
	{"What was done", "处理结果"},
	{"Cards lost", "损失卡片"},
	{"Review", "复核签名"},
	{"Sign this record", "签署本记录"},
	{"Your signature says that you looked at this record. It is made with your own key and cannot be taken back.",
		"签名表示您已核查本记录。签名使用您本人的密钥,不可撤回。"},
	{"The signature was made and stands in the ledger.", "签名已生成并记入台账。"},
	{"Signed by", "签名人"},
	{"Signature", "签名"},
	{"Key", "密钥"},
	{"Signed text", "签名原文"},
	{"Back to the list", "返回列表"},
	{"Only a reviewer can sign.", "只有复核人可以签名。"},
	{"You operated here: another person has to review it.", "您是本次操作员,须由他人复核。"},
	{"It is still open: it can be signed when the failure is over.", "故障未排除,排除后方可签名。"},
	{"The page was not found.", "找不到该页面。"},
	{"The request was refused.", "请求被拒绝。"},
	{"The page had expired. Go back and try again.", "页面已过期,请返回重试。"},
	{"The ledger cannot be read now. Try again.", "暂时无法读取台账,请稍后再试。"},
	{"The ledger is busy. Nothing was signed; try again.", "台账正忙,尚未签名,请重试。"},
	{"Nothing was made yet.", "尚无制卡记录。"},
	{"Report (PDF)", "报告(PDF)"},
	{"Updated", "更新于"},
	{"CUPS does not answer: what the machines do now is unknown.", "打印服务(CUPS)无应答,设备当前状态未知。"},
	{"wants somebody", "需要处理"},
	{"no queue", "无队列"},
	{"unknown", "未知"},
	{"nearly over", "即将用完"},
	{"Message", "消息"},
	{"Jobs in the queue", "排队作业"},
	{"Latest order", "最近工单"},
	{"left at this pace", "预计剩余"},
	{"Template", "模板"},
	{"The connection is lost. What you see is old.", "连接中断,所显示的内容可能已过时。"},
	{"People and passphrases are made with: cardspool person add", "人员与口令用此命令建立:cardspool person add"},
	{"Sign the day's list", "签署当日清单"},
	{"Sign these records", "签署这些记录"},
	{"Nothing of this day waits for your signature.", "当日没有等待您签名的记录。"},
	{"It is signed already.", "已签名。"},
	{"It is signed, or the ledger is busy. Nothing was added.", "该记录已签名或台账正忙,未添加任何内容。"},
	{"The ledger cannot be written now. Nothing was added.", "暂时无法写入台账,未添加任何内容。"},
	{"The passphrase is wrong. Nothing was signed.", "口令错误,尚未签名。"},
	{"The period ends before it begins.", "截止日期早于起始日期。"},
	{"Only JPEG and PNG pictures can be added.", "只能添加 JPEG 或 PNG 图片。"},
	{"Write a cause or a note, or choose a photo.", "请填写原因或备注,或选择照片。"},
	{"The note stands in the ledger.", "备注已记入台账。"},
	{"Add what you found", "补充说明"},
	{"Add", "添加"},
	{"Note", "备注"},
	{"Photo", "照片"},
	{"the signature was checked just now and fits", "签名刚刚验证,有效"},
	{"the signature does not fit", "签名验证不符"},
	{"To check it with openssl:", "可用 openssl 验证:"},
	{"the card", "卡片"},
	{"fresh card", "已换新卡"},
	{"waited until the cause was gone", "等待原因消除"},
	{"card rejected, a fresh one takes its place", "废卡已排出,另制新卡"},
	{"card taken out by hand, a fresh one takes its place", "卡片已人工取出,另制新卡"},
	{"observed what became of the card", "已查看卡片去向"},
	{"queue stopped", "队列已停止"},
	{"the cards were made", "卡片已制成"},
	{"feed", "进卡"},
	{"encode", "写芯片"},
	{"print", "打印"},
	{"reject", "排废卡"},
	{"queued", "等待制卡"},
	{"feeding", "进卡中"},
	{"at-station", "在芯片工位"},
	{"encoding", "写芯片中"},
	{"encoded", "芯片已写好"},
	{"printing", "打印中"},
	{"rejecting", "排废卡中"},
	{"void", "已作废"},
};

/* code, short in English, in Chinese, remedy in Chinese */
static const struct {
	const char *code, *en, *zh, *remedy_zh;
} fault_words[] = {
	{"hopper-empty", "Card feeder empty", "进卡盒无卡", "请在进卡盒中放入空白卡"},
	{"jam-feeding", "Jam at the feeder", "进卡处卡住", "打开机盖,取出卡片,合上机盖"},
	{"jam-station", "Jam behind the chip station", "芯片工位后卡住", "打开机盖,取出卡片,合上机盖"},
	{"jam-printing", "Jam under the print head", "打印头下卡住", "打开机盖,取出卡片,合上机盖"},
	{"jam-flipping", "Jam in the turning unit", "翻面处卡住", "打开翻面单元机盖,取出卡片,合上机盖"},
	{"jam-ejecting", "Jam at the exit", "出卡处卡住", "在出口取出卡片;取不出时打开机盖"},
	{"jam-rejecting", "Jam before the reject box", "废卡未进废卡盒", "从打印机取出卡片,放入废卡中"},
	{"cover-open", "Cover open", "机盖打开", "合上机盖"},
	{"ribbon-end", "Ribbon used up or torn", "色带用完或断裂", "更换同型号色带"},
	{"ribbon-wrong", "Wrong ribbon", "色带型号不符", "装入本作业要求的色带"},
	{"ribbon-missing", "No ribbon", "未装色带", "装入色带"},
	{"output-full", "Exit box full", "出卡盒已满", "取走成品卡"},
	{"reject-full", "Reject box full", "废卡盒已满", "清空废卡盒并清点数量"},
	{"head-hot", "Print head hot or faulty", "打印头过热或故障", "等待数分钟;仍不恢复请报修"},
	{"cleaning-due", "Cleaning due", "需要清洁", "用清洁卡清洁打印机"},
	{"no-reply", "Printer does not answer", "打印机无应答", "检查打印机是否开机、有无报警"},
	{"garbled-reply", "Answer makes no sense", "打印机应答异常", "检查 USB 线,重新开关打印机"},
	{"command-refused", "Command not known", "打印机不支持该命令", "检查队列设置是否与机型一致"},
	{"usb-stall", "Transfer broken off", "传输中断", "检查 USB 线,重新开关打印机"},
	{"unplugged", "Connection lost", "连接断开", "插好 USB 线并打开打印机"},
	{"printer-absent", "Printer not connected", "未连接打印机", "插好 USB 线并打开打印机"},
	{"mechanical", "Mechanical fault", "机械故障", "打开机盖取出卡片后合上;再次出现请报修"},
	{"card-marked", "Printing broken off", "打印中断", "无需处理:该卡作废,另制新卡"},
	{"magnetic", "Magnetic stripe not written", "磁条写入失败", "再次出现时检查卡片磁条与放置方向"},
	{"reader-absent", "Chip reader not connected", "未连接读写器", "插好读写器"},
	{"reader-gone", "Chip reader lost", "读写器断开", "插好读写器"},
	{"no-chip", "No chip answers", "芯片无响应", "检查进卡盒中是否为芯片卡、方向是否正确"},
	{"chip-type", "Another kind of chip", "芯片类型不符", "放入芯片类型正确的卡"},
	{"chip-used", "Chip not blank", "芯片非空白", "放入空白卡"},
	{"chip-removed", "Chip stopped answering", "写入时芯片中断", "再次出现时请调整芯片工位"},
	{"chip-write", "Chip not written", "芯片写入失败", "再次出现时换一盒卡片"},
	{"chip-verify", "Chip differs after writing", "芯片校验不符", "再次出现时换一盒卡片"},
	{"chip-trailer", "Chip keys not set", "芯片密钥设置失败", "再次出现时换一盒卡片"},
	{"chip-two", "More than one chip", "同时有多张芯片", "移开其他卡片,检查卡片是否粘连"},
	{"uid-issued", "Chip issued before", "芯片号已发过", "保留该废卡并报告主管"},
	{"keys", "Card keys missing", "密钥不可用", "请管理员检查密钥文件"},
	{"ledger", "Ledger not writable", "台账无法写入", "请管理员检查磁盘后恢复队列"},
	{"worker-died", "Printing program ended", "打印程序意外退出", "查看打印机内是否有卡,再恢复队列"},
};
/* clang-format on */

int
language_parse(const char *name)
{
	if (strncasecmp(name, "zh", 2) == 0)
		return LANGUAGE_ZH;
	return strncasecmp(name, "en", 2) == 0 ? LANGUAGE_EN : -1;
}

/* As gettext chooses: in any locale but C, LANGUAGE goes before it. */
enum language
language_of_locale(void)
{
	const char *name = setlocale(LC_MESSAGES, NULL), *wanted = getenv("LANGUAGE");
	bool plain = !name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0;

	if (!plain && wanted && wanted[0])
		name = wanted;
	return name && language_parse(name) == LANGUAGE_ZH ? LANGUAGE_ZH : LANGUAGE_EN;
}

const char *
say(enum language l, const char *english)
{
	for (size_t i = 0; l == LANGUAGE_ZH && i < ARRAY_LEN(pairs); i++)
		if (strcmp(pairs[i].en, english) == 0)
			return pairs[i].zh;
	return english;
}

const char *
say_fault(enum language l, const char *code)
{
	const struct fault_row *f;

	for (size_t i = 0; i < ARRAY_LEN(fault_words); i++)
		if (strcmp(fault_words[i].code, code) == 0)
			return l == LANGUAGE_ZH ? fault_words[i].zh : fault_words[i].en;
	f = fault_by_code(code);
	return f ? f->cause : code;
}

const char *
say_remedy(enum language l, const char *code)
{
	const struct fault_row *f = fault_by_code(code);

	for (size_t i = 0; l == LANGUAGE_ZH && i < ARRAY_LEN(fault_words); i++)
		if (strcmp(fault_words[i].code, code) == 0)
			return fault_words[i].remedy_zh;
	return f ? f->remedy : "";
}

void
say_duration(enum language l, char *out, size_t max, int64_t ms)
{
	bool zh = l == LANGUAGE_ZH;
	int64_t s = (ms + 500) / 1000;

	if (s < 60)
		snprintf(out, max, "%" PRId64 " %s", s, zh ? "秒" : "s");
	else if (s < 90 * 60)
		snprintf(out, max, "%" PRId64 " %s", (s + 30) / 60, zh ? "分钟" : "min");
	else if (s < 72 * 3600)
		snprintf(out, max, "%.1f %s", (double)s / 3600, zh ? "小时" : "h");
	else
		snprintf(out, max, "%.0f %s", (double)s / 3600, zh ? "小时" : "h");
}

static void
time_format(char *out, size_t max, int64_t ms, const char *format)
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || !localtime_r(&at, &tm) || strftime(out, max, format, &tm) == 0)
		out[0] = '\0';
}

void
say_time(char *out, size_t max, int64_t ms)
{
	time_format(out, max, ms, "%Y-%m-%d %H:%M");
}

void
say_day(char *out, size_t max, int64_t ms)
{
	time_format(out, max, ms, "%Y-%m-%d");
}
